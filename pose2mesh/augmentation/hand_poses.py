"""Random poses of a right hand: what hands do, without a recording of hands.

Sources: named gestures, points between two of them, fingers from different ones; correlated bending of all fingers
(two synergies explain most of what hands do, Santello et al. 1998); joints on their own. Limits are those of goniometry
(AAOS 1965; Hume et al. 1990); the end joint bends with the middle one (about two thirds, Rijpkema and Girard 1991);
fingers spread less the more they bend. Poses in which fingers pass through each other are drawn again.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Generator, Tensor

from pose2mesh.augmentation.hand_contact import hand_capsules, has_collision
from pose2mesh.augmentation.hand_frames import ANGLES, measure_frames, segment_of, segment_rotations
from pose2mesh.augmentation.ranges import STRICT, Fraction, NotNegative
from pose2mesh.body_models import LinearBlendBody

# Active range in degrees: (least, most).
_LIMITS = {
    "wrist_flexion": (-65, 75), "wrist_deviation": (-18, 30), "cup": (0, 22),
    "thumb_radial": (-5, 70), "thumb_palmar": (5, 70), "thumb_roll": (-20, 25), "thumb_mcp": (-10, 58),
    "thumb_ip": (-15, 80), "spread": (-10, 25), "mcp": (-25, 90), "pip": (0, 108), "dip": (-3, 75),
}  # fmt: skip
_RANGE = torch.tensor([_LIMITS.get(a, _LIMITS.get(a.partition("_")[2], ())) for a in ANGLES], dtype=torch.float32)
_SPREAD, _MCP, _PIP, _DIP = (slice(8 + k, None, 4) for k in range(4))
_ROUNDS = 6  # times that colliding poses are drawn again
# Deviation of the noise on each angle at full strength, degrees.
_NOISE = {"cup": 4, "thumb_radial": 8, "thumb_palmar": 8, "thumb_roll": 5, "thumb_mcp": 9, "thumb_ip": 10}
_NOISE |= {"spread": 4, "mcp": 9, "pip": 10, "dip": 6}
_DEVIATION = torch.tensor([float(_NOISE.get(a, _NOISE.get(a.partition("_")[2], 0))) for a in ANGLES])


@dataclass(frozen=True)
class HandPoses:
    """Chances of each way to make a pose; what is left of one are gestures as written."""

    __pydantic_config__: ClassVar = STRICT

    interpolate: Fraction = 0.2  # between two gestures
    mix_fingers: Fraction = 0.1  # every finger from its own gesture
    synergies: Fraction = 0.35  # all fingers bend together, more or less
    independent: Fraction = 0.15  # every joint on its own within its limits
    perturb: NotNegative = 1.0  # largest strength of the noise on top; each pose draws its own
    wrist_flexion: NotNegative = 22.0  # deviation, degrees
    wrist_deviation: NotNegative = 9.0
    count: Annotated[int, Field(ge=1)] = 1 << 16  # poses that training draws from


class HandPoseSampler:
    """Draws poses for one right hand."""

    def __init__(self, body: LinearBlendBody, gestures: Tensor, recipe: HandPoses | None = None):
        """`body`: Anny's hand or MANO's; `gestures` [N,24]: angles of `hand_gestures.gesture_pool`."""
        keypoints = body.joint_regressor("hand21") @ body.v_template.numpy(force=True)  # [21, 3] at rest
        self.frames, self.capsules = measure_frames(keypoints), hand_capsules(keypoints)
        self.gestures, self.recipe = gestures, recipe or HandPoses()
        self.bones = torch.tensor([segment_of(bone) for bone in body.bone_names])  # [K]

    def rotations(self, angles: Tensor) -> Tensor:
        """World rotations of the body's bones [B,K,3,3], the forearm at rest; angles [B,24] in degrees."""
        return segment_rotations(angles, self.frames)[:, self.bones]

    def sample(self, count: int, generator: Generator) -> Tensor:
        """Angles [B,24] in degrees. Poses that still collide after `_ROUNDS` draws become copies of others."""
        angles = self._draw(count, generator)
        bad = self.collides(angles).nonzero()[:, 0]
        for _ in range(_ROUNDS):
            if not len(bad):
                return angles
            fresh = self._draw(len(bad), generator)
            collides = self.collides(fresh)
            angles[bad] = fresh
            bad = bad[collides]
        good = torch.ones(count, dtype=torch.bool)
        good[bad] = False
        rows = good.nonzero()[:, 0]
        if len(rows):
            angles[bad] = angles[rows[torch.arange(len(bad)) % len(rows)]]
        return angles

    def collides(self, angles: Tensor) -> Tensor:
        """Whether poses [B,24] push fingers into each other or the palm [B]."""
        return has_collision(segment_rotations(angles, self.frames), self.frames, self.capsules)

    def vary_gesture(self, angles: Tensor, generator: Generator) -> Tensor:
        """A gesture [1,24] as somebody makes it: perturbed, the wrist turned, without a collision if draws find one."""
        varied = angles
        for _ in range(_ROUNDS):
            strength = self.recipe.perturb * torch.rand(1, 1, generator=generator)
            varied = vary(angles, strength, generator, self._wrist(1, generator))
            if not self.collides(varied).any():
                return varied
        return varied

    def _wrist(self, count: int, generator: Generator) -> Tensor:
        """What the wrist does on top [B,2], degrees."""
        deviations = torch.tensor([self.recipe.wrist_flexion, self.recipe.wrist_deviation])
        return deviations * torch.randn(count, 2, generator=generator)

    def _draw(self, count: int, generator: Generator) -> Tensor:
        recipe = self.recipe
        angles = _pick(self.gestures, count, generator)
        other = _pick(self.gestures, count, generator)
        along = torch.rand(count, 1, generator=generator)
        ways = (
            (recipe.interpolate, torch.lerp(angles, other, along)),
            (recipe.mix_fingers, mix_fingers(self.gestures, count, generator)),
            (recipe.synergies, synergies(count, generator)),
            (recipe.independent, independent_joints(count, generator)),
        )
        chosen, low = torch.rand(count, 1, generator=generator), 0.0
        for share, drawn in ways:
            angles = torch.where((chosen >= low) & (chosen < low + share), drawn, angles)
            low += share
        strength = recipe.perturb * torch.rand(count, 1, generator=generator)
        return vary(angles, strength, generator, self._wrist(count, generator))


def vary(angles: Tensor, strength: float | Tensor, generator: Generator, wrist: Tensor | None = None) -> Tensor:
    """Angles [B,24] with noise of a strength [B,1] (1: some 9 degrees a joint) and the wrist [B,2] turned."""
    varied = angles + strength * _DEVIATION * torch.randn(angles.shape, generator=generator)
    if wrist is not None:
        varied[:, :2] += wrist
    return clamp_hand(varied)


def mix_fingers(gestures: Tensor, count: int, generator: Generator) -> Tensor:
    """Wrist and thumb from one gesture, every finger from its own: [B,24]."""
    angles = _pick(gestures, count, generator)
    for finger in range(4):
        columns = slice(8 + 4 * finger, 12 + 4 * finger)
        angles[:, columns] = _pick(gestures, count, generator)[:, columns]
    return angles


def synergies(count: int, generator: Generator) -> Tensor:
    """Fingers that close together, knuckles and middle joints in varying shares, and a thumb that follows: [B,24]."""

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    closing = uniform(-0.15, 1.05)[:, None]
    each = (closing + 0.22 * normal(count, 4)).clamp(-0.2, 1.1)
    each[:, 2:] = each[:, 2:].lerp(each[:, 1:3], 0.4)  # ring and pinky follow their neighbor
    hooked = 18 * normal(count, 1)  # the second synergy: middle joints bend at the cost of the knuckles
    angles = torch.zeros(count, len(ANGLES))
    angles[:, _MCP] = 68 * each - hooked + 9 * normal(count, 4)
    angles[:, _PIP] = 92 * each + hooked + 8 * normal(count, 4)
    angles[:, _DIP] = 0.6 * angles[:, _PIP] + 5 * normal(count, 4)
    fan = torch.tensor([6.0, 0.0, 6.0, 12.0])
    angles[:, _SPREAD] = fan * uniform(-0.3, 1.9)[:, None] + 3 * normal(count, 4)
    follows = closing[:, 0].clamp(0, 1)
    angles[:, 2] = uniform(0, 14) * follows
    angles[:, 3] = uniform(10, 65).lerp(uniform(15, 40), follows)
    angles[:, 4] = uniform(8, 55).lerp(uniform(30, 62), follows)
    angles[:, 5] = 7 * normal(count)
    angles[:, 6] = uniform(-8, 35).lerp(uniform(0, 55), follows)
    angles[:, 7] = uniform(-12, 45).lerp(uniform(5, 70), follows)
    return angles


def independent_joints(count: int, generator: Generator) -> Tensor:
    """Every joint anywhere within its limits, the end joints coupled: [B,24]."""
    low, high = _RANGE.T
    angles = low + (high - low) * torch.rand(count, len(ANGLES), generator=generator)
    angles[:, _DIP] = 0.6 * angles[:, _PIP] + 10 * torch.randn(count, 4, generator=generator)
    angles[:, :2] = 0
    return angles


def clamp_hand(angles: Tensor) -> Tensor:
    """Angles [B,24] within the joint limits, end joints near the middle ones, bent fingers less spread."""
    angles = angles.clamp(*_RANGE.T)
    pip, mcp = angles[:, _PIP], angles[:, _MCP]
    angles[:, _DIP] = angles[:, _DIP].clamp(0.35 * pip - 12, 0.75 * pip + 14)
    most = 25 - 18 * (mcp / 90).clamp(0, 1)
    angles[:, _SPREAD] = angles[:, _SPREAD].clamp(-0.4 * most, most)
    return angles


def _pick(gestures: Tensor, count: int, generator: Generator) -> Tensor:
    return gestures[torch.randint(len(gestures), (count,), generator=generator)]
