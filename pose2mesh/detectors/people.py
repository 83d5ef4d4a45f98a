"""People found in a picture, one form for every detector of 33 joints."""

from typing import NamedTuple

import numpy as np

from pose2mesh.detectors.regions import Region
from pose2mesh.detectors.similarity import distinct_rows, extent, to_coco
from pose2mesh.skeletons import MEDIAPIPE33
from pose2mesh.types import Keypoints2D

SAME_PERSON = 0.5  # similarity of final poses from which they are one person
AGREE = 0.45  # similarity from which the finder's pose and the landmarks are one person
PRESENT = 0.5  # landmark network's score from which somebody is there
MISSING = 0.1  # confidence below which a joint is called missing


class Found(NamedTuple):
    """A person."""

    joints: np.ndarray  # [33, 3] x, y picture px and confidence
    region: Region | None = None  # where to look for this person in the next frame
    track: int | None = None  # the same in every frame of a video


def poses_of(people: list[Found]) -> np.ndarray:
    """COCO's joints [P, 17, 3]."""
    return to_coco(np.array([person.joints for person in people]).reshape(-1, len(MEDIAPIPE33), 3))


def distinct(people: list[Found]) -> list[Found]:
    """Without those that are like an earlier one."""
    return [people[i] for i in distinct_rows(poses_of(people), SAME_PERSON)]


def to_keypoints(people: list[Found], size: tuple[int, int]) -> Keypoints2D:
    """Keypoints of people in a picture of (width, height) pixels, largest first."""
    joints = np.array([person.joints for person in people], np.float32).reshape(-1, len(MEDIAPIPE33), 3)
    points, confidence = joints[..., :2], joints[..., 2]
    inside = ((points >= 0) & (points < size)).all(-1)  # [P, 33]
    confidence = np.where(inside & (confidence >= MISSING), confidence, 0).astype(np.float32)
    sizes = [extent(np.column_stack(person)) for person in zip(points, confidence, strict=True)]
    order = np.argsort(-np.array(sizes, np.float64), kind="stable")
    tracks = tuple(person.track for person in people if person.track is not None)
    ordered = tuple(tracks[i] for i in order) if people and len(tracks) == len(people) else None
    return Keypoints2D(points[order], confidence[order], MEDIAPIPE33.name, size, tracks=ordered)
