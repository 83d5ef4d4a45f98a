"""How far DAPA's augmentation reaches: `python -m tools.studies.pose_reach [--json OUT] [MOTION ...]`.

For distinct poses of each motion file, in degrees a joint: how far the prior's answer lies from the pose that it was
given, how far the augmentation moves that answer, how far made poses lie from each other, and how far the file's other
poses lie from the nearest made one. Poses of even numbers are augmented as if predicted without an error, those of odd
numbers are what should be reached.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from pose2mesh.adaptation.pose_augmentation import LatentAugmentation, move_latent
from pose2mesh.checkpoints.prior import load_pose_prior
from pose2mesh.geometry.rotation import rotvec_to_rotmat
from pose2mesh.paths import check_writable, write_json
from pose2mesh.synthesis.bodies import pose_pool

WAYS = {
    "DAPA, s = 0": LatentAugmentation(strength=0),
    "DAPA, s = 0.1": LatentAugmentation(strength=0.1),
    "DAPA, s = 0.5": LatentAugmentation(strength=0.5),
    "DAPA, s = 2": LatentAugmentation(strength=2),
    "noise added, s = 1": LatentAugmentation(kind="add", strength=1),
    "random, N(0, 0.5²)": LatentAugmentation(kind="random", spread=0.5),
    "random, N(0, 1)": LatentAugmentation(kind="random"),
}
_MOST = 600  # poses of a file
_SEED = 0


def angles(first: Tensor, second: Tensor) -> Tensor:
    """Degrees [N,M], mean over the joints of rotations [N,K,3,3] and [M,K,3,3]."""
    trace = torch.einsum("nkij,mkij->nmk", first, second)
    return torch.rad2deg(torch.acos(((trace - 1) / 2).clamp(-1, 1))).mean(-1)


@torch.no_grad()
def reach(motion: str) -> list[dict[str, float | str]]:
    """A row for every way. A function of the file alone."""
    pool = rotvec_to_rotmat(pose_pool([motion], 0.2))[:, 1:]  # [N, 18, 3, 3]
    pool = pool[torch.linspace(0, len(pool) - 1, min(_MOST, len(pool))).long()]
    predicted, wanted = pool[::2], pool[1::2]
    prior, rows = load_pose_prior("pose-prior-body"), []
    for name, recipe in WAYS.items():
        generator = torch.Generator().manual_seed(_SEED)
        mean, deviation = prior.encode(predicted)
        latent = mean + deviation * torch.randn(mean.shape, generator=generator)
        answer = prior.decode(latent)
        made = prior.decode(move_latent(latent, recipe, generator))
        found = {
            "coded": angles(predicted, answer).diagonal().mean(),
            "moved": angles(answer, made).diagonal().mean(),
            "spread": angles(made, made).sum() / (len(made) * (len(made) - 1)),
            "left": angles(wanted, made).amin(1).mean(),
        }
        rows.append({"motion": motion, "way": name, **{key: float(value) for key, value in found.items()}})
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("motion", nargs="*", default=["mocap2_val.npz"])
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args(arguments)
    if options.json:
        check_writable(options.json)
    rows = [row for motion in options.motion for row in reach(motion)]
    print(
        "| poses | made by | coded | moved | between made poses | to the nearest made pose |\n|---|---|---|---|---|---|"
    )
    for row in rows:
        print("| {motion} | {way} | {coded:.1f} | {moved:.1f} | {spread:.1f} | {left:.1f} |".format(**row))
    if options.json:
        write_json(options.json, {"seed": _SEED, "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())
