"""COCO annotation files and results; AlphaPose, Halpe and OpenPifPaf write the same or nearly the same.

Sources: cocodataset.org/#format-data and #format-results, github.com/jin-s13/COCO-WholeBody (data_format.md),
openpifpaf.github.io (predict_cli).
"""

from pathlib import Path
from typing import Any

import numpy as np

from pose2mesh.detectors.readers.frame import FoundPerson, Picture
from pose2mesh.detectors.readers.frame_names import even_step, numbers_in
from pose2mesh.detectors.readers.json_values import all_have, flat_joints, objects, size_of, stem_of
from pose2mesh.errors import FormatError, warn
from pose2mesh.skeletons import COCO23

_FEET = COCO23.joints[17:]
_PEOPLE = ("person", "people", "human")  # one of these is in the name of a category of people
_PERSON = (0, 1)  # category of people: 1 in COCO, 0 where somebody counts from zero


def is_annotations(content: Any) -> bool:
    return isinstance(content, dict) and "annotations" in content


def is_results(content: Any) -> bool:
    return content == [] or all_have(content, "image_id")


def is_openpifpaf(content: Any) -> bool:
    return all_have(content, "keypoints") and all(
        isinstance(entry["keypoints"], list) and not isinstance((entry["keypoints"] or [0])[0], list | dict)
        for entry in content
        if "keypoints" in entry
    )


def read_annotations(content: dict, path: Path) -> list[Picture]:
    """Pictures of a full annotation file {images, annotations, categories}; unlabeled people are left out, and so are
    pictures without anybody, unless all are numbered as frames of one sequence.

    The joints are those that the category names; COCO-WholeBody's feet and hands come with the body.
    """
    images = _by_id(content, "images", path)
    categories = _by_id(content, "categories", path)
    labeled = [
        entry
        for entry in objects(content["annotations"], str(path), "'annotations'")
        if entry.get("keypoints") and entry.get("num_keypoints", 1) != 0
    ]
    used = {i for entry in labeled if isinstance(i := entry.get("category_id"), int | str) and i in categories}
    names = {i: _joint_names(categories[i], f"{path}: category {i!r:.40}") for i in used}
    listed = {i: stem_of(image.get("file_name", i)) for i, image in images.items()}
    if not even_step(numbers_in(list(listed.values()))):
        return _pictures(labeled, path, images, names)
    found = _pictures(labeled, path, images, names) if labeled else []
    shown = {entry.get("image_id") for entry in labeled}  # frames without anybody have their time, too
    return found + [Picture(name, [], str(path), size_of(images[i])) for i, name in listed.items() if i not in shown]


def read_results(content: list, path: Path) -> list[Picture]:
    """Pictures of a results list [{image_id, category_id, keypoints: [x, y, score] * J}, ...], AlphaPose's included."""
    return _pictures(content, path, {}, {})


def read_openpifpaf(content: list, path: Path) -> list[Picture]:
    """The single picture of OpenPifPaf's list [{keypoints: [x, y, score] * J, category_id, ...}, ...]."""
    name = path.name.split(".")[0] or path.stem  # picture.jpg.predictions.json
    people = [FoundPerson(_body(entry, f"{path}: entry {i}", False)) for i, entry in enumerate(content)]
    return [Picture(name, people, str(path))]


def _pictures(entries: list[dict], path: Path, images: dict, names: dict) -> list[Picture]:
    """One picture for each image of the entries, and of each kind of named joints in it."""
    groups: dict[Any, tuple[list[FoundPerson], list[int | None]]] = {}
    for i, entry in enumerate(entries):
        where = f"{path}: entry {i}"
        image_id, category = entry.get("image_id"), entry.get("category_id")
        if not isinstance(image_id, int | str):
            raise FormatError(f"{where}: image_id is missing or neither a number nor a name")
        named = names.get(category) if isinstance(category, int | str) else None
        hands = [_part(entry, f"{side}hand_kpts", where) for side in ("left", "right")]
        body, feet = _body(entry, where, named is not None), _part(entry, "foot_kpts", where)
        if feet is not None:
            body, named = np.concatenate([body, feet]), named and named + _FEET
        track = entry.get("track_id", entry.get("idx"))  # PoseTrack's word, AlphaPose's
        person = FoundPerson(body, *hands)
        people, tracks = groups.setdefault((image_id, named), ([], []))
        people.append(person)
        tracks.append(track if isinstance(track, int) and 0 <= track < 2**63 else None)
    if not groups:
        return [Picture(path.stem, [], str(path))]
    if unlisted := [image_id for image_id, _ in groups if images and image_id not in images]:
        warn(
            f"{path}: {len(unlisted)} of {len(groups)} pictures, such as {unlisted[0]!r:.40}, are not among its "
            "'images', so their size is not known"
        )
    return [
        Picture(
            name=stem_of(images.get(image_id, {}).get("file_name", image_id)),
            people=people,
            where=f"{path}: image {image_id!r:.80}",
            size=size_of(images.get(image_id, {})),
            names=named,
            tracks=tuple(tracks),
        )
        for (image_id, named), (people, tracks) in groups.items()
    ]


def _body(entry: dict, where: str, named: bool) -> np.ndarray:
    """Joints [J, 3] of a body."""
    category = entry.get("category_id", 1)
    if not named and isinstance(category, int) and category not in _PERSON:
        raise FormatError(
            f"{where}: category {category} is no person (1 in COCO), and nothing names its joints; write 1 if it is one"
        )
    return flat_joints(entry.get("keypoints"), where)


def _part(entry: dict, key: str, where: str) -> np.ndarray | None:
    return flat_joints(entry[key], where) if entry.get(key) else None


def _by_id(content: dict, key: str, path: Path) -> dict[int | str, dict]:
    """Images or categories by their id. Raises FormatError where two that differ have the same."""
    found: dict[int | str, dict] = {}
    for value in objects(content.get(key, []), str(path), repr(key)):
        if isinstance(number := value.get("id"), int | str) and found.setdefault(number, value) != value:
            raise FormatError(f"{path}: two of the {key} have the id {number!r:.40}; number each of them once")
    return found


def _joint_names(category: dict, where: str) -> tuple[str, ...] | None:
    """The names of a category's joints; None where it names none and is one of people, else FormatError."""
    names, called = category.get("keypoints"), category.get("name", "person")
    if not names:
        if not any(word in f"{called} {category.get('supercategory')}".lower() for word in _PEOPLE):
            raise FormatError(
                f"{where}: a {called!r:.40} is no person, and nothing names its joints; call it person if it is one"
            )
        return None
    if "animal" in f"{called} {category.get('supercategory')}".lower():
        raise FormatError(f"{where}: a {called!r:.40} is an animal; only people are recovered, so take it out")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise FormatError(f"{where}: 'keypoints' is not a list of names")
    return tuple(names)
