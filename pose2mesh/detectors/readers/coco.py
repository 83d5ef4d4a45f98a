"""COCO annotation files, COCO results, and the AlphaPose/Halpe results that share their layout."""

from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from pose2mesh.detectors.readers.frame import Frame, number_array, people_to_keypoints
from pose2mesh.errors import FormatError


def is_coco_annotations(content: Any) -> bool:
    return isinstance(content, dict) and "annotations" in content


def is_coco_results(content: Any) -> bool:
    return isinstance(content, list) and all(isinstance(x, dict) and "image_id" in x for x in content)


def read_coco_annotations(content: dict, path: Path, joint_set: str | None) -> list[Frame]:
    """Frames of a full annotation file {images, annotations}; people without labeled joints are left out."""
    if not isinstance(content["annotations"], list):
        raise FormatError(f"{path}: 'annotations' is not a list")
    images = {}
    for image in _dicts(content.get("images", []), path, "images"):
        if isinstance(image.get("id"), int | str):
            images[image["id"]] = image
    labeled = [
        entry
        for entry in _dicts(content["annotations"], path, "annotations")
        if entry.get("keypoints") and entry.get("num_keypoints", 1) != 0
    ]
    return _group_by_image(labeled, path, joint_set, images)


def read_coco_results(content: list, path: Path, joint_set: str | None) -> list[Frame]:
    """Frames of a results list [{image_id, keypoints: [x, y, score] * J}, ...], AlphaPose's included."""
    return _group_by_image(content, path, joint_set, {})


def _dicts(entries: Any, path: Path, key: str) -> list[dict]:
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise FormatError(f"{path}: {key!r} is not a list of objects")
    return entries


def _group_by_image(entries: list[dict], path: Path, joint_set: str | None, images: dict) -> list[Frame]:
    people: dict[Any, list[np.ndarray]] = {}
    for i, entry in enumerate(entries):
        where = f"{path}: entry {i}"
        image_id = entry.get("image_id")
        if not isinstance(image_id, int | str):
            raise FormatError(f"{where}: image_id is missing or neither a number nor a name")
        people.setdefault(image_id, []).append(flat_joints(entry.get("keypoints"), where))
    if not people:
        return [Frame(path.stem, people_to_keypoints([], str(path), joint_set))]
    return [
        Frame(
            _name(image_id, images),
            people_to_keypoints(group, f"{path}: image {image_id!r:.80}", joint_set, _size(image_id, images)),
        )
        for image_id, group in people.items()
    ]


def flat_joints(values: Any, where: str) -> np.ndarray:
    """[x, y, c, x, y, c, ...] as an array [J, 3]; FormatError when the length is no multiple of 3."""
    array = number_array(values, where)
    if array.ndim != 1 or len(array) % 3:
        raise FormatError(f"{where}: keypoints must be a flat list of x, y, confidence; got shape {array.shape}")
    return array.reshape(-1, 3)


def _name(image_id: int | str, images: dict) -> str:
    """Stem of the picture's file name where the file tells it, else the id itself."""
    file_name = images.get(image_id, {}).get("file_name", image_id)
    return PurePosixPath(str(file_name).replace("\\", "/")).stem or "frame"


def _size(image_id: int | str, images: dict) -> tuple[int, int] | None:
    image = images.get(image_id, {})
    width, height = image.get("width"), image.get("height")
    if isinstance(width, int) and isinstance(height, int) and 0 < min(width, height) <= max(width, height) < 1e6:
        return width, height
    return None
