"""Joints as objects with x and y: MediaPipe's landmarks, Ultralytics' summaries, TensorFlow.js.

Sources: ai.google.dev/edge/mediapipe (PoseLandmarkerResult, HandLandmarkerResult), MediaPipe's landmark.proto,
docs.ultralytics.com (Results.summary, Results.to_json), TensorFlow.js models (pose-detection).
"""

from pathlib import Path
from typing import Any

import numpy as np

from pose2mesh.detectors.readers.frame import FoundPerson, Picture, number_array
from pose2mesh.detectors.readers.hands import SIDES, check_sides
from pose2mesh.detectors.readers.json_values import all_have, objects, size_of
from pose2mesh.errors import FormatError
from pose2mesh.skeletons import HAND21

_LANDMARKS = ("pose_landmarks", "poseLandmarks", "hand_landmarks", "handLandmarks", "landmarks", "landmark")
_SIDES = ("handedness", "handednesses")  # of hands: categories of each, the likeliest first
# Of a category, or where one stands
_WORDS = ("categoryName", "category_name", "displayName", "display_name", "label", "classification")
_SCORES = ("visibility", "score", "confidence")


def is_landmarks(content: Any) -> bool:
    """MediaPipe: a dict with landmarks, or 21 or 33 of them in a bare list, for one or several people."""
    if isinstance(content, dict):
        return any(key in content for key in _LANDMARKS)
    if isinstance(content, list) and content and isinstance(content[0], list):
        content = content[0]
    return all_have(content, "x") and not all_have(content, "keypoints")


def read_landmarks(content: dict | list, path: Path) -> list[Picture]:
    """The picture of MediaPipe's landmarks: fractions of the picture, whose size has to be told; depth is left out.

    Hands have the sides that the file tells, the subject's own; MediaPipe before 0.10.15 exchanged left and right.
    """
    size = size_of(content) if isinstance(content, dict) else None
    found = content
    while isinstance(found, dict):  # Solutions wrap the list once more: {"pose_landmarks": {"landmark": [...]}}
        found = next((found[key] for key in _LANDMARKS if key in found), None)
    people = found if isinstance(found, list) and (not found or isinstance(found[0], list)) else [found]
    joints = [_points(person, f"{path}: person {i}") for i, person in enumerate(people)]
    sides = None
    if isinstance(content, dict) and {len(person) for person in joints} == {len(HAND21)}:
        sides = _sides_of(content, len(joints), str(path))
    found = [FoundPerson(person) for person in joints]
    return [Picture(path.stem, found, str(path), size, unit="fractions", sides=sides)]


def _sides_of(content: dict, count: int, where: str) -> tuple[str, ...] | None:
    """left or right of each hand; None where nothing is told, or in other words. Raises FormatError."""
    told = next((content[key] for key in _SIDES if content.get(key)), None)
    words = [_side(hand) for hand in (told if isinstance(told, list) else [told])]
    return check_sides(tuple(words), count, where) if set(words) <= set(SIDES) else None


def _side(told: Any) -> str:
    """The word for one hand: by itself, or of the likeliest category."""
    while told and isinstance(told, list | dict):
        told = told[0] if isinstance(told, list) else next((told[key] for key in _WORDS if told.get(key)), "")
    return str(told).lower()


def is_keypoint_objects(content: Any) -> bool:
    """Ultralytics: `keypoints` {"x": [...], "y": [...]}; TensorFlow.js: `keypoints` [{"x", "y", "score", "name"}]."""
    return all_have(content, "keypoints", "box") and all(
        isinstance(entry.get("keypoints", {}), dict) or all_have(entry["keypoints"], "x") for entry in content
    )


def read_keypoint_objects(content: list, path: Path) -> list[Picture]:
    """The picture of Ultralytics' list of people, or of TensorFlow.js's, whose joints may be named."""
    people, names = [], set()
    for i, entry in enumerate(content):
        where = f"{path}: person {i}"
        if entry.get("name", "person") != "person":
            raise FormatError(f"{where}: a {entry['name']!r:.40} is no person; only people are recovered")
        joints = entry.get("keypoints")
        if isinstance(joints, dict):
            people.append(_columns(joints, where))
            continue
        people.append(_points(joints, where))
        names.add(tuple(str(joint["name"]) for joint in joints or () if "name" in joint))
    if len(names) > 1:
        raise FormatError(f"{path}: the people's joints have different names")
    return [
        Picture(path.stem, [FoundPerson(person) for person in people], str(path), names=next(iter(names), ()) or None)
    ]


def _columns(joints: dict, where: str) -> np.ndarray:
    """Joints [J, 2 or 3] of columns x, y and, where the model has it, visible."""
    columns = [joints.get(key) for key in ("x", "y", "visible") if key != "visible" or joints.get(key) is not None]
    values = number_array(columns, where)
    if values.ndim != 2:
        raise FormatError(f"{where}: x, y and visible are not lists of the same length")
    return values.T


def _points(joints: Any, where: str) -> np.ndarray:
    """Joints [J, 3] of objects with x, y and a score; those without one count as seen."""
    rows = [
        [joint.get("x"), joint.get("y"), next((joint[key] for key in _SCORES if joint.get(key) is not None), 1.0)]
        for joint in objects(joints, where, "the joints")
    ]
    return number_array(rows, where)
