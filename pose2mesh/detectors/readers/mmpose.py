"""MMPose's JSON: instances with `keypoints` [J, 2] and `keypoint_scores` [J], for pictures and videos.

Sources: MMPose's docs/en/user_guides/inference.md (1.x: `instances`, `predictions`), demo scripts' --save-predictions
(`meta_info` names the joints), and 0.x's inference_top_down_pose_model (a list of {bbox, keypoints: [[x, y, score]]}).
"""

from pathlib import Path
from typing import Any

import numpy as np

from pose2mesh.detectors.readers.frame import FoundPerson, Picture, number_array
from pose2mesh.detectors.readers.json_values import numbered, objects, rows_of_joints
from pose2mesh.errors import FormatError

_FRAMES = ("instance_info", "predictions", "instances")


def is_mmpose(content: Any) -> bool:
    """A dict with one of the keys of a file, a list of frames, or a list of instances."""
    if isinstance(content, dict):
        return any(key in content for key in _FRAMES)
    return isinstance(content, list) and bool(content) and all(map(_is_frame_or_instance, content))


def read_mmpose(content: dict | list, path: Path) -> list[Picture]:
    """Pictures of an MMPose file; the frames of a video are named `{stem}_{frame_id}`."""
    entries, meta = content, {}
    if isinstance(content, dict):
        entries = next(content[key] for key in _FRAMES if key in content)
        meta = content.get("meta_info", content.get("dataset_meta", {}))
    if not isinstance(entries, list):
        raise FormatError(f"{path}: instances are not a list of objects")
    told = _joints_of(meta, str(path))
    if not any(isinstance(entry, list) or (isinstance(entry, dict) and "instances" in entry) for entry in entries):
        return [_picture(path.stem, entries, str(path), told)]
    if len(entries) == 1 and isinstance(entries[0], list):  # what the inferencer says of one picture
        return [_picture(path.stem, entries[0], str(path), told)]
    stem = path.stem  # parts of a path are worked out anew each time
    return [_frame(entry, i, path, stem, told) for i, entry in enumerate(entries)]


def _frame(entry: Any, index: int, path: Path, stem: str, told: dict) -> Picture:
    where = f"{path}: frame {index}"
    if isinstance(entry, list):
        return _picture(f"{stem}_{index:06d}", entry, where, told)
    if not isinstance(entry, dict) or not isinstance(entry.get("instances"), list):
        raise FormatError(f"{where}: no list of instances")
    return _picture(numbered(path, entry.get("frame_id"), index), entry["instances"], where, told)


def _picture(name: str, instances: list, where: str, told: dict) -> Picture:
    if not instances:  # a small file may have a third of a million of them
        return Picture(name, [], where, scored=False, **told)
    found = [
        _instance(instance, f"{where}: person {i}") for i, instance in enumerate(objects(instances, where, "instances"))
    ]
    scored = any("keypoint_scores" in instance for instance in instances)
    return Picture(name, [FoundPerson(person) for person in found], where, scored=scored, **told)


def _instance(instance: dict, where: str) -> np.ndarray:
    """One person as [J, 2 or 3]."""
    if "keypoints" not in instance:
        raise FormatError(f"{where}: no keypoints")
    points = rows_of_joints(instance["keypoints"], where)
    if instance.get("keypoint_scores") is None:
        return points
    if points.shape[1] == 3:
        raise FormatError(
            f"{where}: three coordinates beside keypoint_scores are joints in 3D; give 2D ones, in pixels"
        )
    scores = number_array(instance["keypoint_scores"], where)
    if scores.shape != points.shape[:1]:
        raise FormatError(f"{where}: {scores.size} keypoint_scores for {len(points)} keypoints")
    return np.column_stack([points, scores])


def _joints_of(meta: Any, where: str) -> dict[str, Any]:
    """What `meta_info` says of the joints: their names in order, or else the name of their data set."""
    if not isinstance(meta, dict):
        return {}
    names = meta.get("keypoint_id2name")
    if isinstance(names, dict) and names:
        try:
            ordered = sorted((int(i), name) for i, name in names.items())
        except (TypeError, ValueError) as error:
            raise FormatError(f"{where}: keypoint_id2name does not number the joints") from error
        if [i for i, _ in ordered] != list(range(len(ordered))) or not all(isinstance(n, str) for _, n in ordered):
            raise FormatError(f"{where}: keypoint_id2name does not number the joints from 0")
        return {"names": tuple(name for _, name in ordered)}
    data_set = meta.get("dataset_name")
    return {"data_set": data_set} if isinstance(data_set, str) else {}


def _is_frame_or_instance(entry: Any) -> bool:
    if isinstance(entry, list):
        return all(isinstance(person, dict) and "keypoints" in person for person in entry)
    if not isinstance(entry, dict):
        return False
    if "instances" in entry or "keypoint_scores" in entry:
        return True
    joints = entry.get("keypoints")
    return isinstance(joints, list) and bool(joints) and isinstance(joints[0], list) and "image_id" not in entry
