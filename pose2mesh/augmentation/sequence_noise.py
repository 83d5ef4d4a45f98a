"""What detectors do to the joints of a video: their errors last.

Half of the jitter's variance is white, half follows from frame to frame; misses, swaps and absences come in episodes.
Durations are in frames at 30 a second and hold for any frame rate.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from pose2mesh.augmentation.detector_noise import FEWEST, first_of, structure
from pose2mesh.augmentation.ranges import STRICT, Fraction, NotNegative, Positive
from pose2mesh.skeletons import COCO17, JointSet

RATE = 30.0  # frames a second that durations are told at


@dataclass(frozen=True)
class SequenceNoise:
    """Chances, sizes and mean durations of each error; lengths are fractions of the height of the person's box."""

    __pydantic_config__: ClassVar = STRICT

    jitter: NotNegative = 0.015  # deviation of every joint per axis
    jitter_is_maximum: bool = False  # each sequence draws its own deviation up to `jitter`
    white: Fraction = 0.5  # share of the jitter's variance that is new in every frame
    memory: Fraction = 0.9  # correlation of the rest from one frame to the next
    miss: Fraction = 0.05  # chance that a joint lands somewhere else
    miss_frames: Positive = 5.0
    miss_range: tuple[NotNegative, NotNegative] = (0.05, 0.25)  # how far
    swap: Fraction = 0.03  # chance that a limb joint trades places with its mirror partner
    swap_frames: Positive = 5.0
    absent: Fraction = 0.15  # chance that a joint is not reported
    absent_frames: Positive = 10.0
    lost: Fraction = 0.0  # chance that the person is not found at all
    lost_frames: Positive = 5.0
    confidence_range: tuple[Fraction, Fraction] = (0.5, 1.0)


EXACT = SequenceNoise(jitter=0.0, miss=0.0, swap=0.0, absent=0.0, confidence_range=(1.0, 1.0))


def add_sequence_noise(
    points: Tensor, noise: SequenceNoise, rate: Tensor, generator: Generator, joint_set: JointSet = COCO17
) -> Tensor:
    """Exact projections [B,T,J,2] to detections [B,T,J,3] (x, y, confidence; absent joints are zero).

    `rate` [B]: frames a second of each sequence.
    """
    shape = points.shape[:3]
    flip, limbs, _ = structure(joint_set)
    height = (points[..., 1].amax(-1) - points[..., 1].amin(-1))[..., None, None]  # [B, T, 1, 1]
    swapped = episodes(shape, noise.swap, noise.swap_frames, rate, generator)
    swapped = swapped[..., torch.minimum(flip, torch.arange(shape[2]))] & limbs  # partners share one
    out = torch.where(swapped[..., None], points[:, :, flip], points)
    strength = torch.rand(shape[0], 1, 1, 1, generator=generator) if noise.jitter_is_maximum else 1.0
    white = torch.randn(*shape, 2, generator=generator)
    drift = wander((*shape, 2), noise.memory, rate, generator)
    jitter = noise.white**0.5 * white + (1 - noise.white) ** 0.5 * drift
    out = out + noise.jitter * strength * height * jitter
    missed = episodes(shape, noise.miss, noise.miss_frames, rate, generator)
    low, high = noise.miss_range
    distance = low + (high - low) * torch.rand(shape, generator=generator)
    angle = 2 * torch.pi * torch.rand(shape, generator=generator)
    away = held(distance[..., None] * torch.stack([angle.cos(), angle.sin()], -1), missed)
    out = out + height * away * missed[..., None]
    low, high = noise.confidence_range
    confidence = low + (high - low) * torch.rand(shape, generator=generator)
    gone = episodes(shape, noise.absent, noise.absent_frames, rate, generator)
    gone = gone & ~first_of(gone, confidence, FEWEST)
    gone = gone | episodes((*shape[:2], 1), noise.lost, noise.lost_frames, rate, generator)
    return torch.cat([out, confidence[..., None]], -1) * ~gone[..., None]


def episodes(shape: tuple[int, ...], chance: float, frames: float, rate: Tensor, generator: Generator) -> Tensor:
    """Bool [B,T,...]: true for `chance` of the time, in episodes of `frames` at 30 a second on average."""
    draw = torch.rand(shape, generator=generator)
    if not chance:
        return torch.zeros(shape, dtype=torch.bool)
    ends = (RATE / rate / frames).clamp(max=1.0).view(-1, *[1] * (len(shape) - 2))  # [B, 1...] chance a frame
    starts = (ends * chance / (1 - chance)).clamp(max=1.0)
    states = [draw[:, 0] < chance]
    for step in draw.unbind(1)[1:]:
        states.append(torch.where(states[-1], step >= ends, step < starts))
    return torch.stack(states, 1)


def held(values: Tensor, on: Tensor) -> Tensor:
    """Values [B,T,...,C] of the frames where each episode of `on` [B,T,...] began."""
    begins = on & ~torch.cat([torch.zeros_like(on[:, :1]), on[:, :-1]], 1)
    frames = torch.arange(on.shape[1]).view(1, -1, *[1] * (on.ndim - 2))
    first = torch.where(begins, frames, 0).cummax(1).values  # [B, T, ...]
    return values.gather(1, first[..., None].expand_as(values))


def wander(shape: tuple[int, ...], memory: float, rate: Tensor, generator: Generator) -> Tensor:
    """AR(1) [B,T,...] of deviation one; `memory`: correlation of frames a thirtieth of a second apart."""
    draw = torch.randn(shape, generator=generator)
    keep = (memory ** (RATE / rate)).view(-1, *[1] * (len(shape) - 2))  # [B, 1...]
    fresh = (1 - keep.square()).sqrt()
    states = [draw[:, 0]]
    for step in draw.unbind(1)[1:]:
        states.append(keep * states[-1] + fresh * step)
    return torch.stack(states, 1)
