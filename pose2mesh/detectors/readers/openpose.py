"""OpenPose's JSON: one file per frame, `people[].pose_keypoints_2d` with 25 or 18 joints."""

from pathlib import Path
from typing import Any

from pose2mesh.detectors.readers.coco import flat_joints
from pose2mesh.detectors.readers.frame import Frame, people_to_keypoints
from pose2mesh.errors import FormatError


def is_openpose(content: Any) -> bool:
    return isinstance(content, dict) and "people" in content


def read_openpose(content: dict, path: Path, joint_set: str | None) -> list[Frame]:
    """The single frame of an OpenPose file; its name drops the `_keypoints` that OpenPose appends."""
    people = content["people"]
    if not isinstance(people, list):
        raise FormatError(f"{path}: 'people' is not a list")
    joints = []
    for i, person in enumerate(people):
        where = f"{path}: person {i}"
        if not isinstance(person, dict) or "pose_keypoints_2d" not in person:
            raise FormatError(f"{where}: no pose_keypoints_2d")
        joints.append(flat_joints(person["pose_keypoints_2d"], where))
    name = path.stem.removesuffix("_keypoints") or path.stem
    return [Frame(name, people_to_keypoints(joints, str(path), joint_set, default="openpose25"))]
