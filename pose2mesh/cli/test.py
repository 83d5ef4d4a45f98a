"""`pose2mesh test`: measure weights, print the table, write the metrics."""

import argparse
from pathlib import Path
from typing import Any, get_args

from pose2mesh.cli.arguments import Parser
from pose2mesh.errors import InputError

COLUMNS = ("pa_mpjpe", "mpjpe", "pa_mpvpe", "mpvpe")
SCORES = ("f_at_5", "f_at_15", "auc")  # of hands
SHARES = (
    "detected",
    "false_finds",
    "right_side",
    "keypoint_error",
    "reprojection_error",
    "silhouette_iou",
)  # of the closed loop
OTHERS = ("within_one_deviation", "auc_vertices", "smpl_mpjpe", "acceleration")  # the last two in mm
SCENES_PER_SHEET = 12
_SEPARATE = ("motion", "photos")  # protocols with settings of their own kind
HAND_SCENES = 100  # unless the configuration limits them


def run(arguments: list[str]) -> int:
    """Measure by the protocol that the configuration names: mocap, upright, photos, closed loop, hands or a dataset."""
    parser = Parser(prog="pose2mesh test", description=__doc__)
    parser.add_argument("--config", required=True, help="YAML file, for example assets/configs/test_mocap.yaml")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the metrics here, lengths in millimetres")
    parser.add_argument(
        "--pictures", type=Path, metavar="FOLDER", help="of photos and closed loops: write pictures to look at here"
    )
    parser.add_argument(
        "--keypoints", type=Path, metavar="OUT.json", help="of closed loops: write the detected keypoints, as COCO"
    )
    parser.add_argument(
        "--predictions", type=Path, metavar="OUT", help="of FreiHAND: write pred.json for its server here"
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="for example data.motion=FILE")
    options = parser.parse_args(arguments)

    from pose2mesh.evaluation.config import TestConfig
    from pose2mesh.paths import check_results_folder, check_writable, write_json
    from pose2mesh.settings import load_config
    from pose2mesh.settings.base import read_recipe

    protocol = read_recipe(options.config).get("protocol")
    for path in (options.json, options.keypoints, options.predictions):
        if path:
            check_writable(path)  # not after hours of measuring
    if options.pictures:
        check_results_folder(options.pictures, "--pictures")
    _check_file(options.config, protocol, options.overrides)
    if protocol in _SEPARATE:
        _refuse_unread(options, protocol)
    if protocol == "motion":
        from pose2mesh.cli.test_reports import run_motion

        return run_motion(options.config, options.overrides, options.json)
    if protocol == "photos":
        from pose2mesh.cli.test_reports import run_photos

        return run_photos(options.config, options.overrides, options.json, options.pictures)
    config = load_config(TestConfig, options.config, options.overrides)
    _refuse_unread(options, config.protocol)
    if config.protocol.endswith("closed_loop"):
        metrics = _closed_loop(config, options.pictures, options.keypoints)
    elif config.protocol in ("mocap", "upright", "hand"):
        metrics = _measure(config, _protocol(config))
    else:
        metrics = _dataset(config, options.predictions)
    if any(values["count"] for values in metrics.values()):  # FreiHAND before its ground truth has none
        print(table(metrics))
    if options.json:
        write_json(options.json, metrics)
    return 0


def _check_file(config: Any, protocol: Any, overrides: list[str]) -> None:
    """Raise InputError where an override names a protocol whose settings are of another kind than the file's."""
    from pose2mesh.evaluation.config import TestConfig

    known = {*_SEPARATE, *get_args(TestConfig.model_fields["protocol"].annotation)}
    asked = next((text[len("protocol=") :] for text in reversed(overrides) if text.startswith("protocol=")), protocol)
    if asked != protocol and asked in known and (asked in _SEPARATE or protocol in _SEPARATE):
        raise InputError(
            f"protocol={asked}: {config} holds the settings of {protocol or 'others'}; give --config "
            f"assets/configs/test_{asked}.yaml instead"
        )


def _refuse_unread(options: argparse.Namespace, protocol: str) -> None:
    """Raise InputError for files that this protocol does not write."""
    if options.pictures and not (protocol == "photos" or protocol.endswith("closed_loop")):
        raise InputError(
            "--pictures belongs to photos and the closed loop; set protocol=closed_loop or hand_closed_loop"
        )
    if options.keypoints and protocol != "closed_loop":
        raise InputError("--keypoints writes what the closed loop's detector finds; set protocol=closed_loop")
    if options.predictions and protocol != "freihand":
        raise InputError("--predictions writes the file of FreiHAND's server; set protocol=freihand")


def _network_of(config) -> dict[str, Any]:
    """The settings of the weights. Raises InputError where weights and protocol do not belong together."""
    from pose2mesh.checkpoints import read_weights

    network = read_weights(config.weights)[1]
    if (network.get("joint_set") == "hand21") != config.protocol.startswith("hand"):
        raise InputError(f"protocol={config.protocol} does not fit weights {config.weights} of {network.get('body')}")
    return network


def _protocol(config):
    """The samples to measure on. Raises InputError where weights and protocol do not belong together."""
    from pose2mesh.body_models import load_body_model
    from pose2mesh.synthesis.hands import HandProtocol
    from pose2mesh.synthesis.mocap import MocapProtocol
    from pose2mesh.synthesis.upright import UprightProtocol

    data, network = config.data, _network_of(config)
    body: Any = load_body_model(network["body"])
    if config.protocol == "hand":
        return HandProtocol(body, data.families, data.variants, data.ages, config.seed, config.limit)
    if not body.kind.is_sampled_with_parameters:
        raise InputError(f"protocol={config.protocol} puts motion on free bodies, not on {network['body']}")
    if config.protocol == "upright":
        return UprightProtocol(body, data.samples, data.ages, config.seed, config.limit)
    return MocapProtocol(body, data.motion, data.every, data.ages, config.seed, config.limit)


def _measure(config, protocol) -> dict[str, Any]:
    from pose2mesh.checkpoints import load_network
    from pose2mesh.evaluation.evaluator import evaluate, evaluate_upright
    from pose2mesh.training.distributed import pick_device

    device = pick_device(config.device)
    network = load_network(config.weights, device)
    measure = evaluate_upright if config.protocol == "upright" else evaluate
    return measure(network, protocol, batch_size=config.batch_size, device=device, progress=True)


def _dataset(config, predictions: Path | None) -> dict[str, Any]:
    from pose2mesh.checkpoints import load_network_or_lifter
    from pose2mesh.datasets.annotated.freihand import missing_truth
    from pose2mesh.evaluation.protocols import DatasetProtocol
    from pose2mesh.networks.abilities import abilities_of
    from pose2mesh.training.distributed import pick_device

    device, name = pick_device(config.device), config.protocol
    network = load_network_or_lifter(config.weights, device)
    is_lifter = not abilities_of(network).gives_mesh
    if is_lifter:
        print(f"{config.weights} holds PoseNet alone: errors are of the {network.joint_set} joints that it lifts")
    protocol = DatasetProtocol(config, str(network.joint_set), needs_joints=is_lifter)
    needs_truth = not predictions or config.input == "truth"
    people = protocol.samples(needs_truth=needs_truth)
    values = protocol.measure(network, device, people, lifts_only=is_lifter, predictions=predictions, progress=True)
    if not values["count"]:
        missing = " and ".join(map(str, missing_truth(config.data.folder)))
        print(f"{name}: wrote {predictions}; there are no errors to print without {missing}")
    elif values["expected"] not in (None, values["count"]):
        print(f"{name}: measured {values['count']} of the {values['expected']} people of the published test set")
    return {name: values}


def _closed_loop(config, folder: Path | None, keypoints: Path | None) -> dict[str, Any]:
    from tqdm import tqdm

    from pose2mesh.evaluation.closed_loop import measure_closed_loop, scene_pictures
    from pose2mesh.paths import write_json
    from pose2mesh.pipeline import Pose2Mesh

    pictures: list[list[Any]] = []
    detections: list[dict[str, Any] | None] = []  # one a scene, None where nobody was found

    def keep(scene, person) -> None:
        if folder:
            pictures.append(scene_pictures(scene, person))
        detections.append(None if person is None else _coco_result(len(detections), person.keypoints))

    scenes, count = _scenes(config)
    model = Pose2Mesh.from_pretrained(config.weights, config.device)
    scenes = tqdm(scenes, total=count, desc="test", unit="picture")
    metrics = measure_closed_loop(model, scenes, on_result=keep)
    if folder:
        _write_sheets(folder, pictures)
    if keypoints:
        write_json(keypoints, [found for found in detections if found], indent=None)
    return {config.protocol: metrics}


def _scenes(config) -> tuple[Any, int]:
    if config.protocol == "hand_closed_loop":
        from pose2mesh.synthesis.hand_studio import HandStudio

        _network_of(config)
        count = config.limit or HAND_SCENES
        return HandStudio(config.data.families, config.data.ages).scenes(count, config.seed, config.data.workers), count
    from pose2mesh.synthesis.studio import protocol_scenes

    protocol: Any = _protocol(config)  # of recorded motion
    return protocol_scenes(protocol, config.data.workers), protocol.count()


def _coco_result(image: int, keypoints) -> dict[str, Any]:
    """Keypoints [J, 3] px as an entry of COCO's results format."""
    values = [round(float(value), 3) for value in keypoints.flatten()]
    return {"image_id": image, "category_id": 1, "keypoints": values, "score": round(float(keypoints[:, 2].mean()), 4)}


def _write_sheets(folder: Path, pictures: list[list[Any]]) -> None:
    """Write `closed_loop_00.png` and so on, each with the pictures of twelve scenes."""
    from pose2mesh.cli.writing import write_png
    from pose2mesh.evaluation.closed_loop import scene_sheet

    for start in range(0, len(pictures), SCENES_PER_SHEET):
        path = folder / f"closed_loop_{start // SCENES_PER_SHEET:02d}.png"
        write_png(path, scene_sheet(pictures[start : start + SCENES_PER_SHEET]))


def table(metrics: dict[str, Any]) -> str:
    """The metrics as text: one row per input and group, millimetres; a dash where nothing was measured."""
    lines = [
        f"{'mm':24s}" + "".join(f"{column.upper().replace('_', '-'):>10s}" for column in COLUMNS) + f"{'samples':>9s}"
    ]
    for name, values in metrics.items():
        rows = {name: values, **{f"  {group}": numbers for group, numbers in values["groups"].items()}}
        if median := values.get("median"):
            rows["  (median)"] = {**median, "count": values["count"]}
        if smoothed := values.get("smoothed"):
            rows["  (smoothed)"] = {**smoothed, "count": values["count"]}
        for label, numbers in rows.items():
            cells = "".join(f"{numbers[c]:10.1f}" if c in numbers else f"{'-':>10s}" for c in COLUMNS)
            knees = numbers.get("knee_flexion")
            degrees = f"{knees['predicted']:8.0f} of {knees['truth']:.0f} degrees of the knees" if knees else ""
            lines.append(f"{label:24s}{cells}{numbers['count']:9d}{degrees}")
        lines += [f"{share:24s}{values[share]:10.3f}" for share in (*SHARES, *SCORES, *OTHERS) if share in values]
        if smoothed:
            lines.append(f"{'acceleration (smoothed)':24s}{smoothed['acceleration']:10.3f}")
    return "\n".join(lines)
