"""MMPose's JSON: instances with `keypoints` [J, 2] and `keypoint_scores` [J], for pictures and videos."""

from pathlib import Path
from typing import Any

import numpy as np

from pose2mesh.detectors.readers.frame import Frame, number_array, people_to_keypoints
from pose2mesh.errors import FormatError


def is_mmpose(content: Any) -> bool:
    """A dict with `instance_info` or `instances`, a list of frames, or a bare list of instances."""
    if isinstance(content, dict):
        return "instance_info" in content or "instances" in content
    return isinstance(content, list) and all(
        isinstance(entry, dict) and ("instances" in entry or "keypoint_scores" in entry) for entry in content
    )


def read_mmpose(content: dict | list, path: Path, joint_set: str | None) -> list[Frame]:
    """Frames of an MMPose file; the frames of a video are named `{stem}_{frame_id}`."""
    entries = content
    if isinstance(content, dict):
        entries = content["instance_info"] if "instance_info" in content else content["instances"]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise FormatError(f"{path}: instances are not a list of objects")
    if not any("instances" in entry for entry in entries):
        return [Frame(path.stem, _people(entries, str(path), joint_set))]
    frames = []
    for i, entry in enumerate(entries):
        where = f"{path}: frame {i}"
        if not isinstance(entry.get("instances"), list):
            raise FormatError(f"{where}: no list of instances")
        number = entry.get("frame_id", i)
        name = f"{path.stem}_{number:06d}" if isinstance(number, int) else f"{path.stem}_{i:06d}"
        frames.append(Frame(name, _people(entry["instances"], where, joint_set)))
    return frames


def _people(instances: list, where: str, joint_set: str | None):
    joints = [_instance(instance, f"{where}: person {i}") for i, instance in enumerate(instances)]
    return people_to_keypoints(joints, where, joint_set)


def _instance(instance: Any, where: str) -> np.ndarray:
    """One person as [J, 3]; joints without scores count as seen."""
    if not isinstance(instance, dict) or "keypoints" not in instance:
        raise FormatError(f"{where}: no keypoints")
    points = number_array(instance["keypoints"], where)
    if points.ndim != 2 or points.shape[1] not in (2, 3):
        raise FormatError(f"{where}: keypoints have shape {list(points.shape)}, expected [joints, 2]")
    if "keypoint_scores" not in instance:
        return np.column_stack([points[:, :2], np.ones(len(points))])
    scores = number_array(instance["keypoint_scores"], where)
    if scores.shape != points.shape[:1]:
        raise FormatError(f"{where}: {scores.size} keypoint_scores for {len(points)} keypoints")
    return np.column_stack([points[:, :2], scores])
