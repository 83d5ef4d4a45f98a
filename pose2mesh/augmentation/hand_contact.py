"""Which hand poses push fingers through each other or through the palm: capsules around the bones, batched."""

import itertools
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pose2mesh.augmentation.hand_frames import SEGMENTS, HandFrames

# Radii in metres around the bones of Anny's hand, whose palm (wrist to the middle knuckle) is 107 mm long.
_PALM = 0.107
_RADII = {
    "thumb": (0.0110, 0.0095, 0.0080), "index": (0.0085, 0.0080, 0.0065), "middle": (0.0085, 0.0080, 0.0065),
    "ring": (0.0080, 0.0075, 0.0060), "pinky": (0.0070, 0.0065, 0.0055), "palm": (0.0110,) * 4,
}  # fmt: skip
# Skin gives way: capsules whose axes are nearer than this share of their radii are too deep in each other. Fingertips
# press far into the soft palm of a fist. All of `hand_gestures` stays above both.
DEEPEST, DEEPEST_IN_PALM = 0.62, 0.32


class Capsules(NamedTuple):
    """The bones of one hand as capsules."""

    offsets: Tensor  # [15, 3] m, from each joint of the fingers to the next
    bases: Tensor  # [5, 3] m, first joint of each finger
    pairs: Tensor  # [2, N] capsules that can meet: 15 segments of fingers, then 4 of the palm
    closest: Tensor  # [N] m, smallest distance of the axes that is let through


def hand_capsules(keypoints: np.ndarray) -> Capsules:
    """Capsules of a hand with these rest keypoints [21,3], in hand21 order."""
    points = torch.as_tensor(np.asarray(keypoints), dtype=torch.float32)
    fingers = points[1:].unflatten(0, (5, 4))  # [5, 4, 3]
    size = (points[9] - points[0]).norm() / _PALM
    radii = size * torch.tensor([radius for part in _RADII.values() for radius in part])  # [19]
    pairs = torch.tensor([pair for pair in itertools.combinations(range(19), 2) if _can_meet(*pair)]).T
    offsets = (fingers[:, 1:] - fingers[:, :-1]).flatten(0, 1)
    share = torch.where(pairs[1] >= 15, DEEPEST_IN_PALM, DEEPEST)
    return Capsules(offsets, fingers[:, 0], pairs, share * radii[pairs].sum(0))


def _can_meet(first: int, second: int) -> bool:
    """Segments of one finger cannot, nor those that start beside each other at the palm."""
    if second >= 15:  # the palm; the first segments of the fingers start there, the thumb's flesh lies on it
        return first < 15 and first % 3 > 0
    return first // 3 != second // 3 and first % 3 + second % 3 > 0


def has_collision(rotations: Tensor, frames: HandFrames, capsules: Capsules) -> Tensor:
    """Whether poses collide [B]: world rotations of SEGMENTS [B,N,3,3]."""
    wrist = rotations[:, SEGMENTS.index("wrist"), None].transpose(-1, -2)  # seen from the palm
    turned = wrist @ rotations[:, 2:17]  # [B, 15, 3, 3]
    steps = (turned @ capsules.offsets[..., None])[..., 0].unflatten(1, (5, 3))  # [B, 5, 3, 3]
    ends = capsules.bases[:, None] + steps.cumsum(2)  # [B, 5, 3, 3]
    starts = torch.cat([capsules.bases[:, None].expand(len(ends), 5, 1, 3), ends[:, :, :-1]], 2)
    knuckles = capsules.bases[1:].expand(len(ends), 4, 3)  # the palm's capsules go from the wrist, at 0, to these
    start = torch.cat([starts.flatten(1, 2), 0.3 * knuckles], 1)  # [B, 19, 3]
    step = torch.cat([steps.flatten(1, 2), 0.7 * knuckles], 1)
    (a, b), closest = capsules.pairs, capsules.closest
    return (segment_distance(start[:, a], step[:, a], start[:, b], step[:, b]) < closest).any(1)


def segment_distance(start_a: Tensor, step_a: Tensor, start_b: Tensor, step_b: Tensor) -> Tensor:
    """Distance of two line segments [...,3], each a start and a step to its end (Ericson 2005, section 5.1.9)."""
    between = start_a - start_b
    aa, bb, ab = (step_a * step_a).sum(-1), (step_b * step_b).sum(-1), (step_a * step_b).sum(-1)
    ac, bc = (step_a * between).sum(-1), (step_b * between).sum(-1)
    s = ((ab * bc - ac * bb) / (aa * bb - ab * ab).clamp(min=1e-12)).clamp(0, 1)
    t = ((ab * s + bc) / bb.clamp(min=1e-12)).clamp(0, 1)
    s = ((ab * t - ac) / aa.clamp(min=1e-12)).clamp(0, 1)
    return (between + s[..., None] * step_a - t[..., None] * step_b).norm(dim=-1)
