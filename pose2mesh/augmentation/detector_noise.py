"""What detectors do to 2D joints: jitter, misses, left-right inversion, absence, truncation, confidences.

All lengths are fractions of the height of the person's box. The protocol of `docs/results.md` is `PROTOCOL_NOISE`.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from pose2mesh.augmentation.ranges import STRICT, Fraction, NotNegative
from pose2mesh.skeletons import joint_set

_COCO = joint_set("coco17")
_FLIP = torch.tensor(_COCO.flip_permutation)
_LIMBS = torch.tensor([not any(part in j for part in ("nose", "eye", "ear")) for j in _COCO.joints])
_ARM = {side: [_COCO.index(f"{side}_{p}") for p in ("elbow", "wrist")] for side in ("left", "right")}
_LEG = {side: [_COCO.index(f"{side}_{p}") for p in ("knee", "ankle")] for side in ("left", "right")}
_TRUNCATIONS = torch.zeros(7, len(_COCO), dtype=torch.bool)  # joints that leave the picture together
for _row, _joints in enumerate(
    (
        range(13, 17),  # knees and ankles: cut at the thighs
        range(11, 17),  # the lower body: cut at the waist
        range(15, 17),  # ankles
        range(0, 5),  # the head
        _ARM["left"],
        _ARM["right"],
        (*_ARM["left"], *_LEG["left"]),
    )
):
    _TRUNCATIONS[_row, list(_joints)] = True


@dataclass(frozen=True)
class DetectorNoise:
    """Chances and sizes of each error."""

    __pydantic_config__: ClassVar = STRICT

    jitter: NotNegative = 0.015  # deviation of every joint per axis
    jitter_is_maximum: bool = False  # each sample draws its own deviation up to `jitter`
    miss: Fraction = 0.05  # chance that a joint lands somewhere else
    miss_range: tuple[NotNegative, NotNegative] = (0.05, 0.25)  # how far
    swap: Fraction = 0.03  # chance that a limb joint trades places with its mirror partner
    absent: Fraction = 0.15  # chance that a joint is not reported
    truncate: Fraction = 0.0  # chance that a group of joints is outside the picture
    confidence_range: tuple[Fraction, Fraction] = (0.5, 1.0)


CLEAN = DetectorNoise(jitter=0.0, miss=0.0, swap=0.0, absent=0.0, confidence_range=(1.0, 1.0))
PROTOCOL_NOISE = DetectorNoise()


def box_height(points: Tensor) -> Tensor:
    """Height [B] of the box around joints [B,J,2]."""
    return points[..., 1].amax(-1) - points[..., 1].amin(-1)


def add_detector_noise(points: Tensor, noise: DetectorNoise, generator: Generator) -> Tensor:
    """Exact COCO-17 projections [B,17,2] to detections [B,17,3] (x, y, confidence; absent joints are zero)."""
    batch, joints = points.shape[:2]

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    height = box_height(points)[:, None, None]  # [B, 1, 1]
    draw = uniform(batch, joints)[:, torch.minimum(_FLIP, torch.arange(joints))]  # partners share one draw
    swapped = (draw < noise.swap) & _LIMBS
    out = torch.where(swapped[..., None], points[:, _FLIP], points)
    strength = noise.jitter * (uniform(batch, 1, 1) if noise.jitter_is_maximum else 1.0)
    out = out + strength * height * torch.randn(batch, joints, 2, generator=generator)
    angle = 2 * torch.pi * uniform(batch, joints)
    low, high = noise.miss_range
    distance = (low + (high - low) * uniform(batch, joints)) * (uniform(batch, joints) < noise.miss)
    out = out + (height * distance[..., None]) * torch.stack([angle.cos(), angle.sin()], -1)
    low, high = noise.confidence_range
    confidence = low + (high - low) * uniform(batch, joints)
    gone = uniform(batch, joints) < noise.absent
    cut = _TRUNCATIONS[torch.randint(len(_TRUNCATIONS), (batch,), generator=generator)]
    gone = gone | (cut & (uniform(batch, 1) < noise.truncate))
    gone = gone & (torch.cumsum(~gone, 1)[:, -1:] >= 4)  # a person of fewer than four joints is no input
    present = (~gone)[..., None]
    return torch.cat([out, confidence[..., None]], -1) * present
