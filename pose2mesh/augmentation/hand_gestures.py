"""Named gestures and grasps of a right hand as angles; `assets/statistics/hand_gestures.yaml` holds and explains them.

A family is kept together: tests measure on families that training never sees.
"""

from functools import cache
from typing import Any

import torch
import yaml
from torch import Tensor

from pose2mesh import paths
from pose2mesh.augmentation.hand_frames import ANGLES
from pose2mesh.errors import InputError

TRAINING_FAMILIES = ("basic", "counting", "pinches")
VALIDATION_FAMILIES = ("signs",)
TEST_FAMILIES = ("grasps", "letters")
DISTINCT_DEGREES = 5.0


@cache
def gestures() -> dict[str, dict[str, list[float]]]:
    """The 24 angles in degrees (`hand_frames.ANGLES`) by family and name. Raises MissingFileError without the file."""
    content = yaml.safe_load(paths.asset("statistics/hand_gestures.yaml").read_text(encoding="utf-8"))

    def angles(thumb: Any, fingers: list[Any], spread=(1, 0, 2, 4), wrist=(0, 0), cup: float = 0) -> list[float]:
        bends = [content["bends"][f] if isinstance(f, str) else f for f in fingers]
        apart = [angle for s, bend in zip(spread, bends, strict=True) for angle in (s, *bend)]
        return [*wrist, cup, *(content["thumbs"][thumb] if isinstance(thumb, str) else thumb), *apart]

    return {
        family: {name: angles(**gesture) for name, gesture in named.items()}
        for family, named in content["gestures"].items()
    }


def gesture_pool(families: tuple[str, ...]) -> Tensor:
    """The gestures of these families [N,24], degrees. Raises InputError for an unknown family."""
    if unknown := [family for family in families if family not in gestures()]:
        raise InputError(f"unknown gesture family {unknown[0]!r}; known: {', '.join(gestures())}")
    rows = [angles for family in families for angles in gestures()[family].values()]
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, len(ANGLES))


def distinct_gestures(families: tuple[str, ...], seen: tuple[str, ...]) -> list[tuple[str, Tensor]]:
    """(family, angles [24]) of the gestures that differ from all gestures of the families `seen`.

    The letter F is a pinch and the letter A a fist: left out is what is nearer than `DISTINCT_DEGREES` in the mean
    square over the fingers' angles. The families in `seen` are taken whole.
    """
    known = gesture_pool(tuple(family for family in seen if family not in families))[:, 3:]
    out = []
    for family in families:
        for angles in gesture_pool((family,)):
            difference = (angles[3:] - known).square().mean(1).sqrt()
            if not (difference < DISTINCT_DEGREES).any():
                out.append((family, angles))
    return out
