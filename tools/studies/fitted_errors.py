"""What the quick fit makes of a network's answers, and how true the deviations are that people see.

`python -m tools.studies.fitted_errors [--motion PACK ...] [--every N] [--poses N] --json OUT` measures recorded motion
and everyday poses on what `Pose2Mesh.predict` returns with and without the fit, in one picture of known size.
"""

import argparse
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pose2mesh.body_models import load_anny_body
from pose2mesh.evaluation.evaluator import evaluate
from pose2mesh.geometry.projection import default_focal
from pose2mesh.paths import write_json
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.synthesis.mocap import MocapProtocol
from pose2mesh.synthesis.upright import UprightProtocol

SIZE = (1000, 1000)  # px of the picture in whose middle people stand
COLUMNS = ("pa_mpjpe", "mpjpe", "mpvpe", "within_one_deviation")


class Predicting:
    """`predict` in a network's place: keypoints [B,J,3] in focal lengths to what the people say."""

    def __init__(self, model: Pose2Mesh, fit: bool):
        self.model, self.fit = model, fit
        self.joint_set = model.network.joint_set

    def __call__(self, keypoints: Tensor) -> SimpleNamespace:
        points = keypoints.numpy() * (default_focal(SIZE), default_focal(SIZE), 1) + (SIZE[0] / 2, SIZE[1] / 2, 0)
        people = self.model.predict(points.astype(np.float32), joint_set=self.joint_set, image_size=SIZE, fit=self.fit)
        vertices, joints, deviation = (
            torch.from_numpy(np.stack([getattr(person, name) for person in people]))
            for name in ("vertices", "joints", "uncertainty")
        )
        return SimpleNamespace(vertices=vertices, joints=joints, deviation=deviation)


def measure_fit(motions: list[str], every: int, poses: int, weights: str = "anny-body") -> dict[str, dict[str, Any]]:
    """{protocol, network or fitted: {"clean": {...}, "noisy": {...}}}."""
    body, model = load_anny_body(), Pose2Mesh.from_pretrained(weights)
    protocols: dict[str, Any] = {motion: MocapProtocol(body, motion, every) for motion in motions}
    protocols["everyday poses"] = UprightProtocol(body, poses)
    return {
        f"{name}, {'fitted' if fit else 'network'}": evaluate(Predicting(model, fit), protocol)  # pyright: ignore
        for name, protocol in protocols.items()
        for fit in (False, True)
    }


def table(found: dict[str, dict[str, Any]]) -> str:
    """Markdown, millimetres."""
    lines = [f"| exact / noisy | {' | '.join(COLUMNS)} |", "|---|" + "---|" * len(COLUMNS)]
    for name, metrics in found.items():
        cells = (f"{metrics['clean'][column]:.3g} / {metrics['noisy'][column]:.3g}" for column in COLUMNS)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--motion", nargs="*", default=["mocap2_val.npz"])
    parser.add_argument("--every", type=int, default=12, help="frames of the motion (default: 12)")
    parser.add_argument("--poses", type=int, default=24, help="people of each kind of everyday pose (default: 24)")
    parser.add_argument("--weights", default="anny-body")
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = measure_fit(options.motion, options.every, options.poses, options.weights)
    print(table(found))
    write_json(options.json, found)


if __name__ == "__main__":
    main()
