"""What detectors do to the 21 keypoints of a hand: the errors of `detector_noise`, with whole fingers hidden.

Lengths are fractions of the longer side of the hand's box.
"""

import torch
from torch import Generator, Tensor

from pose2mesh.augmentation.detector_noise import DetectorNoise

# swap: two neighboring fingers trade places; truncate: one or two fingers are hidden from their second joint on
PROTOCOL_HAND_NOISE = DetectorNoise(jitter=0.015, miss=0.03, swap=0.02, absent=0.05, truncate=0.2)
_FEWEST = 6  # joints that are always left


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
    gone = (uniform(batch, 21) < noise.absent) | _hidden_fingers(uniform(batch, 1) < noise.truncate, generator)
    gone = gone & (torch.cumsum(~gone, 1)[:, -1:] >= _FEWEST)
    return torch.cat([out, confidence[..., None]], -1) * (~gone)[..., None]


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
