"""Hands found in a picture, and when two finds are one hand."""

from typing import NamedTuple

import numpy as np

from pose2mesh.detectors.palms import View
from pose2mesh.types import Keypoints2D

JOINTS = 21
SPREAD = 0.1  # distance between the views that lowers a joint's confidence to 0.6, in sizes of the hand
MISSING = 0.1  # confidence below which a joint is called missing
ALIKE = 0.3  # agreement of two finds' joints above which they are one hand
APART = 0.3  # distance of their middles below which they are one too, in sizes of the hand
PART = 0.6  # of a hand's size: what is smaller and inside of it is part of it


class Hand(NamedTuple):
    """One find."""

    points: np.ndarray  # [21, 2] picture pixels
    agreement: np.ndarray  # [21] of the two views, in [0, 1]
    right: float  # chance of a right hand, in [0, 1]
    score: float = 1.0  # that there is a hand, of the worse view, in [0, 1]

    @property
    def side(self) -> str:
        return "right" if self.right >= 0.5 else "left"

    @property
    def quality(self) -> float:
        """Score times agreement, in [0, 1]."""
        return self.score * float(self.agreement.mean())

    @property
    def size(self) -> float:
        """Longest side of the hand's box, px."""
        return _size(self.points)


def to_hand_keypoints(hands: list[Hand], size: tuple[int, int]) -> Keypoints2D:
    """Keypoints of hands in a picture of (width, height) pixels; joints outside of it are missing."""
    points = np.array([hand.points for hand in hands], np.float32).reshape(-1, JOINTS, 2)
    score = np.array([hand.agreement for hand in hands], np.float32).reshape(-1, JOINTS)
    inside = ((points >= 0) & (points < size)).all(-1)  # [P, 21]
    confidence = np.where(inside & (score >= MISSING), score, 0).astype(np.float32)
    return Keypoints2D(points, confidence, "hand21", (size[0], size[1]), tuple(hand.side for hand in hands))


def mean_of_views(plain: View, mirrored: View) -> Hand:
    """What two views of one region say together."""
    points = (plain.points + mirrored.points) / 2
    agreement = _agreement(plain.points, mirrored.points)
    return Hand(points, agreement, (plain.right + mirrored.right) / 2, min(plain.score, mirrored.score))


def _agreement(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """How far joints [21, 2] of two hands are the same, for each joint [21], in [0, 1]."""
    distance = np.linalg.norm(a - b, axis=-1) / ((_size(a) + _size(b)) / 2)  # [21]
    return np.exp(-((distance / SPREAD) ** 2) / 2)


def _size(points: np.ndarray) -> float:
    return float(max(np.ptp(points, axis=0).max(), 1.0))


def is_of(hand: Hand, other: Hand) -> bool:
    """Whether a find is another hand once more, or a part of it that was taken for a hand."""
    center = hand.points.mean(0)
    apart = np.linalg.norm(center - other.points.mean(0)) / ((hand.size + other.size) / 2)
    is_inside = ((center >= other.points.min(0)) & (center <= other.points.max(0))).all()
    is_part = is_inside and hand.size < PART * other.size
    return bool(is_part or apart < APART or _agreement(hand.points, other.points).mean() > ALIKE)
