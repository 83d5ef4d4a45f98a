"""What detectors do to 2D joints: jitter, misses, left-right inversion, absence, truncation, confidences.

All lengths are fractions of the height of the person's box, of hands of its longer side. The protocols of
`docs/protocols.md` are `PROTOCOL_NOISE` and, for hands, whose fingers are hidden whole, `PROTOCOL_HAND_NOISE`.
"""

from dataclasses import dataclass
from functools import cache
from typing import ClassVar, NamedTuple

import torch
from torch import Generator, Tensor

from pose2mesh.augmentation.ranges import STRICT, Fraction, NotNegative
from pose2mesh.skeletons import COCO17, JointSet

_HEAD = ("nose", "eye", "ear", "mouth", "head")
_ARM, _FOOT = ("elbow", "wrist", "pinky", "index", "thumb", "hand"), ("ankle", "toe", "heel", "foot")
_LEG = ("knee", *_FOOT)
_TRUNCATIONS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (  # (sides, parts) that leave the picture together
    (("left", "right"), _LEG),  # cut at the thighs
    (("left", "right"), ("hip", *_LEG)),  # cut at the waist
    (("left", "right"), _FOOT),
    (("left", "right", ""), _HEAD),
    (("left",), _ARM),
    (("right",), _ARM),
    (("left",), (*_ARM, *_LEG)),
)
FEWEST, _FEWEST_OF_HAND = 4, 6  # joints that are always left, for those of fewer are no input


class Structure(NamedTuple):
    """What errors of a joint set depend on."""

    flip: Tensor  # [J] mirror partners
    limbs: Tensor  # [J] bool: all but the head's
    truncations: Tensor  # [T, J] bool


@cache
def structure(joints: JointSet) -> Structure:
    def is_of(joint: str, sides: tuple[str, ...], parts: tuple[str, ...]) -> bool:
        side = joint.partition("_")[0] if joint.startswith(("left_", "right_")) else ""
        point = joint.removeprefix(f"{side}_")
        if point == "foot_index":  # a toe, no finger
            point = "foot"
        return side in sides and any(part in point for part in parts)

    limbs = [not is_of(joint, ("left", "right", ""), _HEAD) for joint in joints.joints]
    truncations = [[is_of(joint, *group) for joint in joints.joints] for group in _TRUNCATIONS]
    return Structure(torch.tensor(joints.flip_permutation), torch.tensor(limbs), torch.tensor(truncations))


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
# swap: two neighboring fingers trade places; truncate: one or two fingers are hidden from their second joint on
PROTOCOL_HAND_NOISE = DetectorNoise(jitter=0.015, miss=0.03, swap=0.02, absent=0.05, truncate=0.2)


def box_height(points: Tensor) -> Tensor:
    """Height [B] of the box around joints [B,J,2]."""
    return points[..., 1].amax(-1) - points[..., 1].amin(-1)


def add_detector_noise(
    points: Tensor, noise: DetectorNoise, generator: Generator, joint_set: JointSet = COCO17
) -> Tensor:
    """Exact projections [B,J,2] to detections [B,J,3] (x, y, confidence; absent joints are zero)."""
    batch, joints = points.shape[:2]
    flip, limbs, truncations = structure(joint_set)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    height = box_height(points)[:, None, None]  # [B, 1, 1]
    draw = uniform(batch, joints)[:, torch.minimum(flip, torch.arange(joints))]  # partners share one draw
    swapped = (draw < noise.swap) & limbs
    out = torch.where(swapped[..., None], points[:, flip], points)
    strength = noise.jitter * (uniform(batch, 1, 1) if noise.jitter_is_maximum else 1.0)
    out = out + strength * height * torch.randn(batch, joints, 2, generator=generator)
    angle = 2 * torch.pi * uniform(batch, joints)
    low, high = noise.miss_range
    distance = (low + (high - low) * uniform(batch, joints)) * (uniform(batch, joints) < noise.miss)
    out = out + (height * distance[..., None]) * torch.stack([angle.cos(), angle.sin()], -1)
    low, high = noise.confidence_range
    confidence = low + (high - low) * uniform(batch, joints)
    lot = uniform(batch, joints)
    gone = lot < noise.absent
    cut = truncations[torch.randint(len(truncations), (batch,), generator=generator)]
    gone = gone | (cut & (uniform(batch, 1) < noise.truncate))
    gone = gone & ~first_of(gone, lot, FEWEST)
    present = (~gone)[..., None]
    return torch.cat([out, confidence[..., None]], -1) * present


def add_hand_noise(points: Tensor, noise: DetectorNoise, generator: Generator) -> Tensor:
    """Exact projections [B,21,2] in hand21 order to detections [B,21,3] (x, y, confidence; absent joints are zero)."""
    batch = len(points)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    size = (points.amax(1) - points.amin(1)).amax(-1)[:, None, None]  # [B, 1, 1]
    out = _swap_fingers(points, noise.swap, uniform(batch, 1), torch.randint(1, 4, (batch, 1), generator=generator))
    strength = noise.jitter * (uniform(batch, 1, 1) if noise.jitter_is_maximum else 1.0)
    out = out + strength * size * torch.randn(batch, 21, 2, generator=generator)
    angle = 2 * torch.pi * uniform(batch, 21)
    low, high = noise.miss_range
    distance = (low + (high - low) * uniform(batch, 21)) * (uniform(batch, 21) < noise.miss)
    out = out + size * distance[..., None] * torch.stack([angle.cos(), angle.sin()], -1)
    low, high = noise.confidence_range
    confidence = low + (high - low) * uniform(batch, 21)
    lot = uniform(batch, 21)
    gone = (lot < noise.absent) | _hidden_fingers(uniform(batch, 1) < noise.truncate, generator)
    gone = gone & ~first_of(gone, lot, _FEWEST_OF_HAND)
    return torch.cat([out, confidence[..., None]], -1) * (~gone)[..., None]


def first_of(gone: Tensor, lot: Tensor, count: int) -> Tensor:
    """`count` joints of everybody, bool [...,J]: those that are there, then those with the highest lot [...,J]."""
    first = (lot + ~gone).topk(min(count, gone.shape[-1]), dim=-1).indices
    return torch.zeros_like(gone).scatter(-1, first, True)


def _swap_fingers(points: Tensor, chance: float, draw: Tensor, first: Tensor) -> Tensor:
    """Exchange finger `first` [B,1] (1 index .. 3 ring) with the next one where draw [B,1] is below the chance."""
    joint = torch.arange(21)
    finger = (joint - 1).div(4, rounding_mode="floor")  # -1 the wrist
    partner = torch.where(finger == first, joint + 4, torch.where(finger == first + 1, joint - 4, joint))  # [B, 21]
    order = torch.where(draw < chance, partner, joint)
    return points.gather(1, order[..., None].expand(-1, -1, 2))


def _hidden_fingers(is_hidden: Tensor, generator: Generator) -> Tensor:
    """Joints [B,21] of one or two fingers beyond their first, for rows of is_hidden [B,1]."""
    fingers = torch.randint(5, (len(is_hidden), 2), generator=generator)  # equal ones: a single finger
    joint = torch.arange(20)
    chosen = ((joint // 4) == fingers[:, :1]) | ((joint // 4) == fingers[:, 1:])  # [B, 20]
    hidden = chosen & (joint % 4 > 0) & is_hidden
    return torch.cat([torch.zeros_like(is_hidden), hidden], 1)
