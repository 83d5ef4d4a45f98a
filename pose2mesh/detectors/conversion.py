"""Keypoints to the joints that a network takes, and a word about those that nobody found."""

from dataclasses import replace
from functools import cache

import numpy as np

from pose2mesh.errors import warn
from pose2mesh.skeletons import convert, joint_set
from pose2mesh.skeletons.conversion import conversion_sources
from pose2mesh.types import Keypoints2D


def in_joint_set(keypoints: Keypoints2D, target: str, *, needs_all: bool = False) -> Keypoints2D:
    """The same people in another joint set; joints that cannot be had get confidence 0, and all missing ones zeros.

    `needs_all`: whether the network cannot leave a joint out, so that the user is told of these, once.
    """
    if needs_all:
        _warn_of_absent(keypoints.joint_set, target)
    points, confidence = convert(keypoints.points, keypoints.confidence, keypoints.joint_set, target)
    seen = confidence > 0  # a detector may have left NaN in the others
    points, confidence = np.where(seen[..., None], points, 0), np.where(seen, confidence, 0)
    return replace(keypoints, points=points, confidence=confidence, joint_set=target)


@cache
def _warn_of_absent(source: str, target: str) -> None:
    rows = conversion_sources(joint_set(source), joint_set(target))
    absent = [name for name, parts in zip(joint_set(target).joints, rows, strict=True) if not parts]
    if absent:
        warn(
            f"these weights take {target}, and keypoints of {source} have no {', '.join(absent)}: put at the mean of "
            f"the others, so expect a worse mesh; give keypoints of {target}, or weights for joints that are found"
        )
