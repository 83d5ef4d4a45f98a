"""How fast DAPA makes its pictures, beside learning from them: `python -m tools.studies.synthesis_speed`."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pose2mesh.adaptation.image_synthesis import ImageSynthesizer, SynthesisConfig
from pose2mesh.augmentation.cameras import SMPL_TO_CAMERA
from pose2mesh.augmentation.figures import figure_pool
from pose2mesh.augmentation.poses import world_rotmats
from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints.image_backbone import ANNY, new_image_backbone
from pose2mesh.evaluation.images import predict_images
from pose2mesh.geometry.weak_perspective import SIDE
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.networks.spin import ImageBackbone
from tools.studies.timed_rows import options_of, report


@dataclass(frozen=True)
class SynthesisRow:
    """One part of a step."""

    name: str
    ms: float  # of a picture
    per_second: float


def measure_synthesis(batch: int = 4, is_cpu_time: bool = False) -> list[SynthesisRow]:
    """Pictures with the photo's texture, with static ones, and a training pass of ResNet-50 on a batch of them."""
    clock = time.process_time if is_cpu_time else time.perf_counter
    body, rng = load_anny_body(), np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, SIDE, SIDE, 3), np.uint8)
    pose = SMPL_TO_CAMERA @ world_rotmats(figure_pool()[torch.arange(batch) % len(figure_pool())])
    bodies = BodyParameters(pose, torch.zeros(batch, body.num_shape))
    camera = torch.tensor([[0.9, 0.0, 0.0]]).expand(batch, -1)
    ways: dict[str, Callable[[], object]] = {}
    for name, config in (("photo", SynthesisConfig()), ("static", SynthesisConfig(texture="static"))):
        synthesizer = ImageSynthesizer(body, config)
        ways[f"picture, {name} texture"] = lambda s=synthesizer: s(images, bodies, bodies, camera, rng)
    network = new_image_backbone(ANNY)
    ways["ResNet-50, forward and backward"] = lambda: _learn(network, images)
    return [_row(name, run, batch, clock) for name, run in ways.items()]


def table(rows: list[SynthesisRow]) -> str:
    """Markdown."""
    lines = ["| part of a step | ms a picture | pictures a second |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {row.name} | {row.ms:.0f} | {row.per_second:.1f} |" for row in rows)])


def _learn(network: ImageBackbone, images: np.ndarray) -> None:
    found = predict_images(network, torch.from_numpy(images), "float32")
    (found.parameters.rotations.sum() + found.camera.sum()).backward()


def _row(name: str, run: Callable[[], object], batch: int, clock: Callable[[], float]) -> SynthesisRow:
    run()  # the first call allocates
    start = clock()
    run()
    seconds = (clock() - start) / batch
    return SynthesisRow(name, 1000 * seconds, 1 / seconds)


def main(arguments: Sequence[str] | None = None) -> int:
    options = options_of(__doc__, arguments)
    rows = measure_synthesis(1 if options.quick else 4, options.cpu_time)
    return report(table(rows), rows, options)


if __name__ == "__main__":
    sys.exit(main())
