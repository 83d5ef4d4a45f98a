"""`pose2mesh predict`: pictures, folders, videos and keypoint files to meshes, overlays and arrays."""

import argparse
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pose2mesh.cli.arguments import Parser, add_camera_options, camera_of, positive, shard_of_text
from pose2mesh.cli.console import say
from pose2mesh.cli.predict_inputs import check_keypoint_options, check_single, files_of, is_motion
from pose2mesh.cli.predict_video import MOTION_FORMATS
from pose2mesh.cli.progress import progress
from pose2mesh.cli.writing import FORMATS, FreeNames, write_frame
from pose2mesh.detectors import get_detector
from pose2mesh.errors import InputError, NoPersonFoundError
from pose2mesh.paths import check_results_folder
from pose2mesh.plugins import check_name
from pose2mesh.rendering.scene import OVERLAYS

if TYPE_CHECKING:
    from tqdm import tqdm

ALL_FORMATS = tuple(dict.fromkeys((*FORMATS, *MOTION_FORMATS)))
DEFAULT_WEIGHTS = {"body": "anny-body", "hand": "anny-hand", "body+hands": "anny-body"}
REFINED_WEIGHTS = "anny-key2mesh"  # the ones that give body parameters


def run(arguments: list[str]) -> int:
    """Run the command; returns 0, or 2 when an input was bad (the others are still done).

    Raises InputError for wrong arguments and MachineError when nothing can be written.
    """
    options = _parse(arguments)
    from pose2mesh.detectors.sources import existing

    files, failures = [], 0
    for given in options.inputs:
        try:
            path = existing(given)
            files += [path] if is_motion(path, options) else files_of(path, options)
        except InputError as error:
            failures += _report(error)
    check_keypoint_options(files, options)
    names = FreeNames(options.output, files)
    stems = [names.take(file.stem) for file in files]  # the same for every shard
    shard, count = options.shard
    work = list(zip(files, stems, strict=True))[shard::count]
    if work:
        weights = options.weights or (REFINED_WEIGHTS if options.refine else None)
        model = load_model(options.kind, weights, options.hand_weights, options.device)
        model = model.refined() if options.refine else model
        with progress([file for file, _ in work]) as bar:
            for file, stem in work:
                try:
                    if is_motion(file, options):
                        _predict_motion(model, file, stem, options, bar)
                    else:
                        _predict_frames(model, file, stem, names, options, bar)
                except InputError as error:
                    failures += _report(error, options.min_score)
    return InputError.exit_code if failures else 0


@contextmanager
def _torch_loaded() -> Iterator[None]:
    """Imports torch inside, once, without a search for garbage: there is none, and it takes a tenth of the time."""
    if "torch" in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # nor will these objects ever be garbage
        gc.enable()


def load_model(kind: str, weights: str | None, hand_weights: str | None, device: str, has_kinds: bool = True):
    """The model of a kind of `DEFAULT_WEIGHTS`. Raises InputError for weights that recover something else; `has_kinds`
    tells whether the command has --kind.
    """
    with _torch_loaded():
        from pose2mesh.body_with_hands import BodyWithHands
        from pose2mesh.pipeline import Pose2Mesh

    weights = weights or DEFAULT_WEIGHTS[kind]
    if kind == "body+hands":
        return BodyWithHands.from_pretrained(weights, device, hand_weights or DEFAULT_WEIGHTS["hand"])
    if hand_weights:
        raise InputError(f"--hand-weights belongs to --kind body+hands; --kind {kind} takes --weights")
    model = Pose2Mesh.from_pretrained(weights, device)
    if model.kind != kind:
        remedy = f"add --kind {model.kind} or give others" if has_kinds else f"give those of a {kind}"
        raise InputError(f"weights {weights} recover a {model.kind}; {remedy}")
    return model


def _predict_frames(model, file: Path, stem: str, names: FreeNames, options: argparse.Namespace, bar: "tqdm") -> None:
    """Write the results of every picture of a file."""
    check_single(file, options)
    of_motions = [name for name in options.save if name not in FORMATS]
    what = "hand" if options.kind == "hand" else "person"
    told = {name: getattr(options, name) for name in ("intrinsics", "image_size", "fit", "subject")}
    frames = model.predict_frames(
        [file], options.joint_set, options.finder, options.batch_size, options.handedness, **told
    )
    own: str | None = stem
    for frame in frames:
        if frame.name == file.stem and own:
            name, own = own, None
        else:
            name = names.take(_frame_name(frame.name, file.stem, stem, options.shard[1] > 1))
        bar.update()
        if not frame.people:
            sure = f" with a mean confidence of {options.min_score:g}" if options.min_score else ""
            say(f"{name}: no {what}{sure} found", sys.stdout)
            continue
        written = write_frame(
            *(options.output, name, frame.image, frame.people, options.save),
            *(options.side_view, options.overlay, options.draw_keypoints),
        )
        left = f" ({', '.join(of_motions)}: of motions alone)" if of_motions else ""
        say(f"{name}: {len(frame.people)} {what}(s) -> {_listed(written)}{left}", sys.stdout)


def _predict_motion(model, source: Path, stem: str, options: argparse.Namespace, bar: "tqdm") -> None:
    """Write the motion of a video into a folder of its own."""
    from pose2mesh.cli.predict_video import predict_video

    motion = predict_video(model, source, options.output / stem, options, bar)
    seconds = float(motion.time[-1] - motion.time[0])
    say(f"{stem}: {len(motion.tracks)} person(s) over {seconds:.1f} s -> {options.output / stem}", sys.stdout)


def _frame_name(name: str, file_stem: str, stem: str, is_shared: bool) -> str:
    """Name of one frame of several: `walk_000012` follows when the file `walk` was named `walk_2`.

    Pictures of a keypoint file keep their own names, unless other shards, whose names are not known here, write too.
    """
    numbered = name.removeprefix(f"{file_stem}_")
    return f"{stem}_{numbered}" if is_shared or numbered != name else name


def _listed(paths: list[Path]) -> str:
    """The first of the paths and how many more there are."""
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0]}{more}" if paths else "nothing to write"


def _report(error: InputError, min_score: float = 0.0) -> int:
    remedy = ", or a lower --min-score" if min_score and isinstance(error, NoPersonFoundError) else ""
    say(f"pose2mesh: error: {' '.join(str(error).splitlines())}{remedy}", sys.stderr)
    return 1


def _parse(arguments: list[str]) -> argparse.Namespace:
    options = _parser().parse_args(arguments)
    options.inputs += options.img_folder
    if not options.inputs:
        raise InputError("no input given; name pictures, folders, videos or keypoint files")
    check_results_folder(options.output, f"-o {options.output}")
    if options.joint_set is not None:
        from pose2mesh.skeletons import joint_set

        joint_set(options.joint_set)
    check_name("detector", options.detector)
    options.intrinsics, options.image_size = camera_of(options)
    if options.subject is not None:
        from pose2mesh.fitting.subject import known_shape, parse_subject

        options.subject = parse_subject(options.subject)
        known_shape(options.subject)  # a contradiction is told before any work
        if not options.fit:
            raise InputError("--subject is what the fit knows of a body; leave --no-fit out")
    options.finder = options.detector
    if not 0 <= options.min_score <= 1:
        raise InputError(f"--min-score is {options.min_score:g}; it goes from 0 to 1")
    if options.max_people or options.min_score:
        options.finder = get_detector(options.detector, options.kind, options.max_people, options.min_score)
    if options.kind == "hand" and not options.fit:
        raise InputError("--no-fit is of bodies; hands are not fitted, so leave it out")
    if (options.overlay != OVERLAYS[0] or options.draw_keypoints) and not {"png", "mp4"} & {*options.save}:
        raise InputError(
            "--overlay and --draw-keypoints are of png and mp4; add one of them to --save, or leave them out"
        )
    if options.refine and options.kind != "body":
        raise InputError(f"--refine fits bodies; --kind {options.kind} cannot be refined")
    if options.refine and not options.fit:
        raise InputError("--refine fits bodies by itself; leave --no-fit out")
    if options.save_mesh:
        options.save = (*options.save, "obj")
    return options


def _parser() -> Parser:
    parser = Parser(
        prog="pose2mesh predict",
        description="Recover 3D meshes of the people in pictures, videos or 2D keypoint files.",
    )
    add = parser.add_argument
    add("inputs", nargs="*", metavar="INPUT", help="image, folder, video, or keypoints as JSON, NPY, NPZ, YOLO's TXT")
    add("-o", "--output", "--out_folder", type=Path, required=True, metavar="OUT", help="results folder")
    add("--img_folder", action="append", default=[], metavar="FOLDER", help="one more INPUT")
    add("--kind", choices=tuple(DEFAULT_WEIGHTS), default="body", help="what to recover (default: body)")
    add("--weights", metavar="NAME|PATH", help="shipped name or file (default: those of the kind)")
    add("--hand-weights", metavar="NAME|PATH", help="weights of the hands, with --kind body+hands")
    add("--handedness", choices=("left", "right"), help="which hands these are, whatever the detector or the file says")
    add("--joint-set", metavar="NAME", help="joint set of the keypoints (default: by their names or number)")
    add_camera_options(parser)
    add(
        "--detector",
        default="auto",
        metavar="NAME",
        help="auto (blazepose), mediapipe, rtmlib, none, or a plug-in's (default: auto)",
    )
    add("--max-people", type=positive, metavar="N", help="keep only the N largest people of a picture")
    add(
        "--min-score",
        type=float,
        default=0.0,
        metavar="S",
        help="leave out people whose joints have a lower mean confidence, 0 to 1",
    )
    listed = f"what to write, any of {','.join(ALL_FORMATS)} (json: all but the mesh; default: png,npz)"
    add("--save", type=_formats, default=("png", "npz"), metavar="LIST", help=listed)
    add("--save_mesh", action="store_true", help="the same as adding obj to --save")
    add("--side_view", action="store_true", help="write each person turned and from the side, too")
    add("--overlay", choices=OVERLAYS, default=OVERLAYS[0], help="bodies over the photo, or beside it (default: blend)")
    add("--draw-keypoints", action="store_true", help="draw the keypoints on the overlay")
    add(
        "--track",
        action=argparse.BooleanOptionalAction,
        help="one motion of a keypoint file or a folder of them, as of videos; --no-track: of no video either",
    )
    add("--fps", type=float, metavar="RATE", help="frames a second of keypoints and numbered pictures (default: 30)")
    add("--smooth", choices=("auto", "off"), help="smooth the joint angles of motions (default: auto)")
    add(
        "--refine",
        action="store_true",
        help="refine bodies by descent, 0.2 s a person (default weights: anny-key2mesh)",
    )
    add("--no-fit", dest="fit", action="store_false", help="the network's answer, not fitted to its keypoints")
    add(
        "--subject",
        metavar="FACTS",
        help="what is known of everybody in the input: any of age=8,height=1.2,gender=female,weight=24 (years, m, kg)",
    )
    add("--full_frame", action="store_true", help="accepted from other tools: overlays always show the full picture")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto, a GPU if there is one")
    add(
        "--batch-size",
        "--batch_size",
        type=positive,
        default=64,
        metavar="N",
        help="people the network sees at once (default: 64)",
    )
    add(
        "--shard",
        type=shard_of_text,
        default=(0, 1),
        metavar="I/N",
        help="only every N-th input, from the I-th on; I counts from 0",
    )
    return parser


def _formats(text: str) -> tuple[str, ...]:
    formats = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    if not formats or set(formats) - set(ALL_FORMATS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of {','.join(ALL_FORMATS)}")
    return formats
