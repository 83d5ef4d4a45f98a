"""Hands among the joints of whole bodies, and the words for left and right."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pose2mesh.errors import FormatError, InputError
from pose2mesh.skeletons import HAND21, JointSet
from pose2mesh.types import Keypoints2D

SIDES = ("left", "right")


def split_hands(people: np.ndarray, joints: JointSet) -> tuple[np.ndarray, tuple[str, ...]]:
    """Hands [2P, 21, C] of bodies with hands [P, J, C], left and right in turn, and their sides."""
    first = joints.index("left_hand_wrist")  # the right hand follows the left
    hands = people[:, first : first + 2 * len(HAND21)]
    return hands.reshape(-1, len(HAND21), people.shape[2]), SIDES * len(people)


def drop_missing(hands: Keypoints2D) -> Keypoints2D:
    """Without the hands of which no joint is seen: whole-body files hold both for everybody."""
    return hands.select(np.any(hands.confidence > 0, axis=-1))


def with_handedness(hands: Keypoints2D, handedness: str | Sequence[str] | None, where: str) -> Keypoints2D:
    """Hands with their sides: those given, else those they came with, else right for a single one.

    `handedness` is left or right for all of them, or one word for each. Raises InputError for other words, another
    number of them, and several hands of which nobody tells the sides.
    """
    if handedness is None and hands.handedness is not None:
        return hands
    count = len(hands)
    if handedness is None and count > 1:
        raise InputError(
            f"{where}: {count} hands and nothing tells left from right; "
            "give handedness=('left', 'right', ...) with one word for each, or one for all"
        )
    handedness = "right" if handedness is None else handedness
    given = (handedness,) * count if isinstance(handedness, str) else handedness
    return replace(hands, handedness=check_sides(tuple(given), count, where))


def check_sides(sides: tuple[str, ...], count: int, where: str) -> tuple[str, ...]:
    """The sides of `count` hands; FormatError for other words than left and right or another number of them."""
    if wrong := [side for side in sides if side not in SIDES]:
        raise FormatError(f"{where}: handedness {wrong[0]!r:.60} is neither 'left' nor 'right'")
    if len(sides) != count:
        raise FormatError(f"{where}: handedness has {len(sides)} entries for {count} hands")
    return sides
