"""OpenPose's JSON: one file per frame, `people[]` with a body of 25 or 18 joints and, if asked for, two hands of 21."""

from pathlib import Path
from typing import Any

import numpy as np

from pose2mesh.detectors.readers.coco import flat_joints
from pose2mesh.detectors.readers.frame import Frame, people_to_keypoints, set_for_count
from pose2mesh.detectors.readers.hands import HAND_JOINTS, SIDES, drop_missing
from pose2mesh.errors import FormatError
from pose2mesh.skeletons import convert
from pose2mesh.skeletons import joint_set as find_joint_set

_BODY = "pose_keypoints_2d"


def is_openpose(content: Any) -> bool:
    return isinstance(content, dict) and "people" in content


def read_openpose(content: dict, path: Path, joint_set: str | None) -> list[Frame]:
    """The single frame of an OpenPose file; its name drops the `_keypoints` that OpenPose appends.

    The joint set hand21 reads the hands, body_hands59 the bodies with their hands, any other the bodies.
    """
    people = content["people"]
    if not isinstance(people, list):
        raise FormatError(f"{path}: 'people' is not a list")
    wanted = find_joint_set(joint_set).name if joint_set else None
    name = path.stem.removesuffix("_keypoints") or path.stem
    if wanted == "hand21":
        hands = [
            _part(person, f"hand_{side}_keypoints_2d", path, i) for i, person in enumerate(people) for side in SIDES
        ]
        found = people_to_keypoints(hands, str(path), wanted, handedness=SIDES * len(people))
        return [Frame(name, drop_missing(found))]
    read = _with_hands if wanted == "body_hands59" else _body
    joints = [read(person, path, i) for i, person in enumerate(people)]
    return [Frame(name, people_to_keypoints(joints, str(path), joint_set, default="openpose25"))]


def _body(person: Any, path: Path, index: int) -> np.ndarray:
    return _part(person, _BODY, path, index)


def _with_hands(person: Any, path: Path, index: int) -> np.ndarray:
    """Joints [59, 3] of a body and its hands."""
    body = _body(person, path, index)  # [25 or 18, 3]
    source = set_for_count(len(body), None, f"{path}: person {index}")
    points, confidence = convert(body[:, :2], body[:, 2], source, "coco17")
    return np.concatenate([np.column_stack([points, confidence]), *_hands(person, path, index)])


def _hands(person: Any, path: Path, index: int) -> list[np.ndarray]:
    """Joints [21, 3] of the left and the right hand."""
    return [_part(person, f"hand_{side}_keypoints_2d", path, index) for side in SIDES]


def _part(person: Any, key: str, path: Path, index: int) -> np.ndarray:
    """Joints [J, 3] of one part; a hand that the file leaves out (an empty list) is missing."""
    where = f"{path}: person {index}"
    if not isinstance(person, dict) or key not in person:
        raise FormatError(f"{where}: no {key}")
    if person[key] == [] and key != _BODY:
        return np.zeros((HAND_JOINTS, 3))
    return flat_joints(person[key], where)
