"""Pose2Mesh's ablations: `python -m tools.studies.ablation_grid --config FILE -o FOLDER [--json OUT] [key=value ...]`.

Trains every row for every seed, measures joints regressed from the mesh as the paper does, prints a Markdown table for
each motion. What is in OUT or trained in FOLDER already is not done again. `--pictures FILE.png` draws the rows of
`--row` beside each other on recorded motion, or the first two.
"""

import argparse
import copy
import hashlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from pydantic import Field, ValidationError
from torch import Tensor
from torch.nn.functional import normalize

from pose2mesh.augmentation.detector_noise import DetectorNoise, add_detector_noise
from pose2mesh.checkpoints import load_network
from pose2mesh.errors import InputError
from pose2mesh.hierarchy import load_hierarchy
from pose2mesh.metrics import MetricAccumulator, mpjpe, mpvpe, pa_mpjpe, pa_mpvpe
from pose2mesh.paths import check_writable, write_json
from pose2mesh.settings import Strict, load_config
from pose2mesh.settings.base import merge
from pose2mesh.skeletons import PELVIS_ROW
from pose2mesh.synthesis.bodies import seeded_generator
from pose2mesh.synthesis.detections import conversion
from pose2mesh.synthesis.mocap import MocapProtocol, ProtocolBatch
from pose2mesh.training.config import TrainConfig
from pose2mesh.training.trainer import train
from tools.studies.ablation_pictures import comparison
from tools.studies.small_body import NAME, load_small_body, small_graphs

MEASURES = ("mpjpe", "pa_mpjpe", "mpvpe", "pa_mpvpe")
SMOOTHNESS = ("edge", "normal")
_BATCH, _TIMED, _PEOPLE = 64, 20, 6  # people at a time; passes of one person that are timed; people in pictures


class RowConfig(Strict):
    """One row: what it changes in `train`; a list is changed by the names in it."""

    name: str
    train: dict[str, Any] = Field(default_factory=dict)


class GridConfig(Strict):
    """The budget, the rows, and what they are measured on."""

    train: dict[str, Any]
    rows: tuple[RowConfig, ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field(default=(0, 1), min_length=1)
    motion: tuple[str, ...] = Field(min_length=1)
    every: int = Field(default=9, ge=1)  # every n-th frame
    limit: int | None = Field(default=None, ge=1)
    inputs: dict[str, DetectorNoise]


def row_settings(config: GridConfig, row: RowConfig, seed: int, folder: Path) -> dict[str, Any]:
    """The settings of one training, both stages. Raises InputError for a row that changes nothing or what is not."""
    settings = copy.deepcopy(config.train)
    if row.train:
        merge(settings, copy.deepcopy(row.train), "", f"rows: {row.name}", is_change=True)
    settings["network"] |= {"body": NAME, "mesh": {"hierarchy": str(small_graphs(folder, "coco19"))}}
    return {**settings, "seed": seed}


def lifter_config(config: GridConfig, settings: dict[str, Any], folder: Path) -> TrainConfig:
    """PoseNet alone; rows that are trained on the same samples share it."""
    network = {**settings["network"], "classic": config.train["network"]["classic"]}
    alone = {**settings, "network": network, "stages": settings["stages"][:1]}
    key = hashlib.sha256(json.dumps(alone, sort_keys=True).encode()).hexdigest()[:10]
    return _validated({**alone, "output": str(folder / f"posenet-{key}")})


def mesh_config(settings: dict[str, Any], name: str, lifter: Path | str, folder: Path) -> TrainConfig:
    """The mesh with PoseNet, from the trained one on."""
    start = {"initial": str(lifter), "initial_part": "lifter", "stages": settings["stages"][1:]}
    slug = "".join(c if c.isalnum() else "-" for c in f"{name}-{settings['seed']}")
    return _validated({**settings, **start, "output": str(folder / slug)})


def _validated(settings: dict[str, Any]) -> TrainConfig:
    try:
        return TrainConfig.model_validate(settings)
    except ValidationError as error:
        raise InputError(f"train: {error}") from error


def trained(config: TrainConfig) -> tuple[Path, dict[str, Any]]:
    """The weights of a run and their card, trained if they are not yet."""
    folder = Path(config.output)
    card = folder / "weights.json"
    if not (card.is_file() and json.loads(card.read_text())["finished"]):
        train(config, resume=(folder / "last.pt").is_file())
    return folder / "weights.safetensors", json.loads(card.read_text())


class Bench:
    """People of the recorded motion and what detectors say of them, the same for every row."""

    def __init__(self, config: GridConfig):
        self.config, self.body = config, load_small_body()
        self.people = {name: list(self._protocol(name).batches(_BATCH)) for name in config.motion}

    def _protocol(self, name: str) -> MocapProtocol:
        return MocapProtocol(self.body, name, every=self.config.every, limit=self.config.limit)

    def seen(self, motion: str, noise: DetectorNoise) -> Iterator[tuple[Tensor, ProtocolBatch]]:
        """Keypoints [B,17,3] with a detector's errors, and the truth."""
        for index, batch in enumerate(self.people[motion]):
            yield add_detector_noise(batch.clean[..., :2], noise, seeded_generator(index, 51)), batch

    @torch.inference_mode()
    def measure(self, network: Any) -> dict[str, Any]:
        """Errors in millimetres by motion and input, the time of a pass and the size of what follows PoseNet."""
        errors = {m: {name: self._errors(network, m, n) for name, n in self.config.inputs.items()} for m in self.people}
        one = next(self.seen(self.config.motion[0], next(iter(self.config.inputs.values()))))[0][:1]
        one = conversion("coco17", network.joint_set)(one)
        times = [_processor_ms(network, one) for _ in range(_TIMED)]
        size = sum(p.numel() for p in network.network.pose2mesh.parameters())
        return {"errors": errors, "forward_ms": min(times), "parameters": size}

    def _errors(self, network: Any, motion: str, noise: DetectorNoise) -> dict[str, float]:
        accumulator = MetricAccumulator()
        for keypoints, batch in self.seen(motion, noise):
            joints, vertices = mesh_of(network, keypoints)
            rows = slice(PELVIS_ROW + 1)
            values = {"mpjpe": mpjpe(joints[:, rows], batch.joints[:, rows]), "mpvpe": mpvpe(vertices, batch.vertices)}
            values["pa_mpjpe"] = pa_mpjpe(joints[:, rows], batch.joints[:, rows])
            values["pa_mpvpe"] = pa_mpvpe(vertices, batch.vertices)
            values |= surface_errors(vertices, batch.vertices, self.body.faces)
            accumulator.update(values, batch.groups)
        summary = accumulator.summary()
        return {name: summary[name] for name in (*MEASURES, *SMOOTHNESS, "count")}


def surface_errors(vertices: Tensor, truth: Tensor, faces: Tensor) -> dict[str, Tensor]:
    """How smooth a mesh [B,V,3] is against the truth, for each person [B]: mean error of the lengths of edges, as a
    share of the mean length, and mean angle in degrees between the normals of faces [F,3].
    """
    lengths, normals = [], []
    for mesh in (vertices, truth):
        corners = mesh[:, faces]  # [B, F, 3, 3]
        sides = corners - corners.roll(1, 2)
        lengths.append(sides.norm(dim=-1).flatten(1))  # [B, 3F]
        normals.append(normalize(torch.linalg.cross(sides[:, :, 0], sides[:, :, 1]), dim=-1))  # [B, F, 3]
    cosine = (normals[0] * normals[1]).sum(-1).clamp(-1, 1)
    return {
        "edge": (lengths[0] - lengths[1]).abs().mean(1) / lengths[1].mean(1),
        "normal": torch.rad2deg(cosine.arccos()).mean(1),
    }


def mesh_of(network: Any, keypoints: Tensor) -> tuple[Tensor, Tensor]:
    """Joints [B,19,3] regressed from the mesh and its vertices [B,V,3] m, both relative to the regressed pelvis."""
    vertices = network(conversion("coco17", network.joint_set)(keypoints)).vertices
    joints = network.joint_regressor @ vertices
    pelvis = joints[:, PELVIS_ROW, None]
    return joints - pelvis, vertices - pelvis


def _processor_ms(network: Any, keypoints: Tensor) -> float:
    started = time.process_time()
    network(keypoints)
    return 1e3 * (time.process_time() - started)


def run_grid(config: GridConfig, folder: Path, done: dict[str, Any], chosen: Sequence[str] = ()) -> Iterator[str]:
    """Train and measure what `done` ({row: {seed: values}}) lacks, seed by seed, and put it there; yields its name."""
    torch.set_num_threads(config.train.get("threads") or torch.get_num_threads())
    plans = [(row.name, seed, row_settings(config, row, seed, folder)) for seed in config.seeds for row in config.rows]
    for name, _, settings in plans:  # what is wrong is better known now than in an hour
        lifter_config(config, settings, folder)
        mesh_config(settings, name, "posenet", folder)
    bench = Bench(config)
    for name, seed, settings in plans:
        if str(seed) in done.get(name, {}) or (chosen and name not in chosen):
            continue
        lifter, _ = trained(lifter_config(config, settings, folder))
        run = mesh_config(settings, name, lifter, folder)
        weights, card = trained(run)
        values = bench.measure(load_network(weights).eval())
        step_ms = 3.6e6 * card["hours"] / sum(stage.steps for stage in run.stages)
        done.setdefault(name, {})[str(seed)] = {**values, "step_ms": step_ms}
        yield f"{name}, seed {seed}"


def table(config: GridConfig, done: dict[str, Any], motion: str) -> str:
    """Markdown: MPJPE / PA-MPJPE / MPVPE / PA-MPVPE of each input, mean over seeds (half the range of MPVPE), and of
    the first input the errors of edges and normals.
    """
    heads = ["", "weights", "ms", *config.inputs, "edges", "normals"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in config.rows:
        runs = list(done.get(row.name, {}).values())
        if not runs:
            continue
        cells, errors = [], [run["errors"][motion] for run in runs]
        for name in config.inputs:
            values = np.array([[each[name][measure] for measure in MEASURES] for each in errors])
            spread = np.ptp(values[:, MEASURES.index("mpvpe")]) / 2
            cells.append(" / ".join(f"{value:.1f}" for value in values.mean(0)) + f" (± {spread:.1f})")
        edge, normal = (np.mean([each[next(iter(config.inputs))][name] for each in errors]) for name in SMOOTHNESS)
        millions, ms = runs[0]["parameters"] / 1e6, min(run["forward_ms"] for run in runs)
        cells = [row.name, f"{millions:.2f} M", f"{ms:.1f}", *cells, f"{100 * edge:.0f} %", f"{normal:.0f}°"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def pictures(config: GridConfig, folder: Path, wanted: Sequence[str] = ()) -> np.ndarray:
    """People spread over the first motion as the last of `inputs` shows them: the wanted rows beside each other, or the
    first two; what is drawn of the first alone is in `comparison`.
    """
    rows = [row for row in config.rows if row.name in wanted] or config.rows[:2]
    runs, bench = [row_settings(config, row, config.seeds[0], folder) for row in rows], Bench(config)
    names = [mesh_config(run, row.name, "", folder).output for run, row in zip(runs, rows, strict=True)]
    networks = [load_network(Path(name) / "weights.safetensors").eval() for name in names]
    seen = list(bench.seen(config.motion[0], [*config.inputs.values()][-1]))
    keypoints, truth = torch.cat([k for k, _ in seen]), torch.cat([batch.vertices for _, batch in seen])
    chosen = torch.linspace(0, len(keypoints) - 1, min(_PEOPLE, len(keypoints))).long()
    hierarchy = load_hierarchy(runs[0]["network"]["mesh"]["hierarchy"])
    return comparison(networks, hierarchy, keypoints[chosen], truth[chosen])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="for example tools/studies/ablation_grid.yaml")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="of the runs")
    parser.add_argument("--json", type=Path, metavar="OUT", help="results, also those to go on from")
    parser.add_argument("--row", action="append", default=[], metavar="NAME", help="this one alone; may be repeated")
    parser.add_argument("--pictures", type=Path, metavar="FILE.png")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    options = parser.parse_args(arguments)
    config = load_config(GridConfig, options.config, options.overrides)
    if unknown := {*options.row} - {row.name for row in config.rows}:
        raise InputError(f"--row: there is no row {min(unknown)!r}")
    options.output.mkdir(parents=True, exist_ok=True)
    out = options.json or options.output / "grid.json"
    check_writable(out)
    done = json.loads(out.read_text()) if out.is_file() else {}
    for name in run_grid(config, options.output, done, options.row):
        write_json(out, done)
        print(f"done: {name}", flush=True)
    for motion in config.motion:
        print(f"\n{motion}\n\n{table(config, done, motion)}")
    if options.pictures:
        Image.fromarray(pictures(config, options.output, options.row)).save(options.pictures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
