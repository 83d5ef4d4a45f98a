"""How photos frame people: heads and shoulders, down to the waist or the knees, whole, one side cut off.

Also what detectors make of joints that the picture does not hold: some leave them out, BlazePose and its like guess
them, with little confidence and large errors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from pose2mesh.augmentation.ranges import STRICT, Fraction, NotNegative, Positive
from pose2mesh.errors import InputError

_LANDMARKS = ("shoulder", "hip", "knee", "ankle")
# Where the frame ends: the landmark above the cut and how far on to the next one.
_CUTS = {
    "head_and_shoulders": (0, 0.15, 0.65),
    "waist_up": (0, 0.75, 1.15),
    "knees_up": (1, 0.3, 1.1),
    "shins_up": (2, 0.25, 0.9),
}
_FEWEST = 4  # joints that a frame holds at least, the nearest to its middle


@dataclass(frozen=True)
class Framing:
    """Shares of the framings, which need not sum to one, and what becomes of joints outside."""

    __pydantic_config__: ClassVar = STRICT

    full: NotNegative = 0.55
    shins_up: NotNegative = 0.1
    knees_up: NotNegative = 0.15
    waist_up: NotNegative = 0.12
    head_and_shoulders: NotNegative = 0.08
    side: Fraction = 0.08  # chance that the left or right of the body is cut as well
    field: tuple[Positive, Positive] = (0.45, 0.9)  # half the width of the picture in focal lengths
    guess: Fraction = 0.4  # chance that a detector reports all joints outside
    guess_error: NotNegative = 0.15  # deviation of such joints per axis, of the height of the box around those inside
    guess_confidence: tuple[Fraction, Fraction] = (0.05, 0.3)

    def __post_init__(self) -> None:
        if not any(getattr(self, name) for name in ("full", *_CUTS)):
            raise InputError(f"framing: all shares are zero; give at least one of full, {', '.join(_CUTS)}")


def crop_to_frame(points: Tensor, joints: Sequence[str], recipe: Framing, generator: Generator) -> Tensor:
    """Which joints [B,J] bool a photo holds.

    The frame ends across the body: below people who stand or sit, beside people who lie. Shapes: points [B,J,2] in
    focal lengths from the middle of the picture, `joints` their J names, with shoulders, hips, knees and ankles.
    """
    count = len(points)

    def uniform(*limits: float) -> Tensor:
        return limits[0] + (limits[1] - limits[0]) * torch.rand(count, generator=generator)

    rows = torch.tensor([[joints.index(f"{side}_{name}") for side in ("left", "right")] for name in _LANDMARKS])
    marks = points[:, rows].mean(2)  # [B, 4, 2]
    trunk = marks[:, 1] - marks[:, 0]  # [B, 2] from the shoulders to the hips
    axis = trunk.abs().argmax(1, keepdim=True)  # [B, 1]
    sign = trunk.gather(1, axis).sign()
    along = points.gather(2, axis[..., None].expand(-1, points.shape[1], 1))[..., 0] * sign  # [B, J] down the body
    across = points.gather(2, 1 - axis[..., None].expand(-1, points.shape[1], 1))[..., 0]
    level = along[:, rows].mean(2)  # [B, 4]
    length = (level[:, 1] - level[:, 0]).clamp(min=1e-6)
    steps = (level[:, 1:] - level[:, :-1]).maximum(0.4 * length[:, None])  # a seated person's knees are as high as hips
    level = torch.cat([level[:, :1], level[:, :1] + steps.cumsum(1)], 1)

    shares = torch.tensor([float(getattr(recipe, name)) for name in ("full", *_CUTS)])
    kind = torch.multinomial(shares, count, replacement=True, generator=generator)  # [B]
    start, low, high = torch.tensor([(0, 0, 0), *_CUTS.values()])[kind].unbind(-1)
    start = start.long()[:, None]
    end = level.gather(1, start)[:, 0] + uniform(0, 1).mul(high - low).add(low) * steps.gather(1, start)[:, 0]
    inside = (along < end[:, None]) | (kind == 0)[:, None]
    inside &= points.abs().amax(-1) < uniform(*recipe.field)[:, None]

    half = (across.amax(1) - across.amin(1)) / 2  # [B]
    edge = (across.amax(1) + across.amin(1)) / 2 + uniform(0.1, 0.8) * half
    mirrored = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)[:, None]
    center = ((across.amax(1) + across.amin(1)) / 2)[:, None]
    beside = mirrored * (across - center) < (edge[:, None] - center)
    inside &= beside | (uniform(0, 1) >= recipe.side)[:, None]
    nearest = (points - marks[:, :2].mean(1, keepdim=True)).norm(dim=-1).argsort(1).argsort(1) < _FEWEST
    return inside | (nearest & (inside.sum(1, keepdim=True) < _FEWEST))


def report_outside(detections: Tensor, inside: Tensor, recipe: Framing, generator: Generator) -> Tensor:
    """What a detector says of joints outside the frame: nothing, or all of them, guessed.

    Shapes: detections [B,J,3] (x, y, confidence; absent joints are zero) as if all were inside, `inside` [B,J];
    returns [B,J,3].
    """
    batch, count = inside.shape
    xy, confidence = detections[..., :2], detections[..., 2:]
    seen = inside & (confidence[..., 0] > 0)
    y = xy[..., 1]
    height = torch.where(seen, y, -torch.inf).amax(1) - torch.where(seen, y, torch.inf).amin(1)
    height = torch.where(seen.any(1), height, 0.0)[:, None, None]  # [B, 1, 1]
    low, high = recipe.guess_confidence
    guessed = torch.cat(
        [
            xy + recipe.guess_error * height * torch.randn(batch, count, 2, generator=generator),
            low + (high - low) * torch.rand(batch, count, 1, generator=generator),
        ],
        -1,
    )
    guesses = (torch.rand(batch, 1, generator=generator) < recipe.guess) & (confidence[..., 0] > 0)
    return torch.where(inside[..., None], detections, torch.where(guesses[..., None], guessed, 0.0))
