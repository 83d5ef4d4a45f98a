"""How far four weights a vertex are from the full ones over recovered motions: as they ship, and fitted.

    python -m tools.studies.rig_error MOTION.npz...

prints for each person the largest distance in mm over all frames, the vertices ever beyond 3 mm, and the mean.
"""

import argparse
import sys
from collections.abc import Sequence

import torch

from pose2mesh.body_models.linear_blend import skin
from pose2mesh.body_models.rig_weights import load_skin_weights
from pose2mesh.exporters import load_motion_file
from pose2mesh.exporters.character import Character, characters
from pose2mesh.exporters.skin import Skin, skin_of
from pose2mesh.geometry.chains import relative_rotations

_BATCH = 64  # frames at a time
_AIM = 3.0  # mm


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tools.studies.rig_error", description=__doc__)
    parser.add_argument("motions", nargs="+", metavar="MOTION.npz")
    options = parser.parse_args(arguments)
    print(f"{'motion':40} person frames | largest, beyond {_AIM:.0f} mm, mean: as they ship | fitted")
    for path in options.motions:
        for character in characters(load_motion_file(path)):
            shipped = Skin(load_skin_weights(character.body, 4), character.vertices)
            told = [_told(distances(character, each)) for each in (shipped, skin_of(character))]
            print(f"{path[-40:]:40} {character.track:6} {len(character.times):6} | {' | '.join(told)}", flush=True)
    return 0


@torch.no_grad()
def distances(character: Character, rig: Skin) -> torch.Tensor:
    """[T,V] in mm between the vertices of a rig and those of the full weights, all vertices, in every frame."""
    body = character.body
    rest, moved = torch.from_numpy(character.vertices), torch.from_numpy(rig.vertices)
    weights = torch.from_numpy(rig.weights.dense(len(body.parents))).float()
    parts = []
    for frames in torch.from_numpy(character.groups).float().split(_BATCH):
        pose = relative_rotations(frames[:, body.group_of], body.parents)  # [T, K, 3, 3]
        transforms = body.move_bones(torch.from_numpy(character.heads).expand(len(pose), -1, -1), pose)[0]
        full, fewer = (
            skin(at.expand(len(pose), -1, -1), w, transforms) for at, w in ((rest, body.weights), (moved, weights))
        )
        parts.append(1000 * (fewer - full).norm(dim=-1))
    return torch.cat(parts)


def _told(distance: torch.Tensor) -> str:
    return f"{distance.max():5.2f} {int((distance.amax(0) > _AIM).sum()):3} {distance.mean():.4f}"


if __name__ == "__main__":
    sys.exit(main())
