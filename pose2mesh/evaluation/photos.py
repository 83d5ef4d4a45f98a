"""Real photos: how many people are found, how upright they stand, how well the meshes fit their keypoints.

Nobody knows the 3D truth of a photo. What is known, from looking at each, lies in the folder's photos.json: how many
people are prominent, and the boxes of those who stand upright, whole or cut by the picture's edge.
"""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field
from tqdm import tqdm

from pose2mesh.detectors import Detector, get_detector
from pose2mesh.detectors.images import read_image
from pose2mesh.errors import FormatError, InputError, MissingFileError
from pose2mesh.metrics import knee_flexion
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.settings import Strict
from pose2mesh.skeletons import JointSet, convert
from pose2mesh.types import Keypoints2D, Person

SURE = 0.5  # confidence from which a keypoint counts for the re-projection
SAME_BOX = 0.3  # intersection over union from which a person is the one of a box


class PhotosData(Strict):
    """Where the photos are."""

    folder: str = "."  # holds the pictures and photos.json


class PhotosConfig(Strict):
    """The protocol `photos`."""

    protocol: Literal["photos"] = "photos"
    weights: str = "anny-body"
    detector: str = "auto"
    data: PhotosData = PhotosData()
    limit: int | None = Field(default=None, ge=1)  # stop after this many photos
    device: str = "auto"


class UprightBox(NamedTuple):
    """A person who stands upright in a photo."""

    box: tuple[float, float, float, float]  # left, top, right, bottom px
    truncated: bool


class Photo(NamedTuple):
    """What is known of a photo."""

    path: Path
    prominent: int
    upright: tuple[UprightBox, ...]


def read_photos(folder: Path) -> list[Photo]:
    """The photos of a folder by its photos.json. Raises MissingFileError, FormatError."""
    path = folder / "photos.json"
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file; give a folder with photos.json as data.folder=FOLDER")
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        return [
            Photo(
                folder / name,
                int(known["prominent"]),
                tuple(UprightBox(_box(p["box"]), bool(p["truncated"])) for p in known.get("upright", ())),
            )
            for name, known in listed.items()
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(
            f'{path}: expected {{"NAME.jpg": {{"prominent": N, "upright": [...]}}}} ({error!r})'
        ) from error


def measure_photos(
    model: Pose2Mesh,
    photos: Sequence[Photo],
    detector: str | Detector = "auto",
    on_result: Callable[[Photo, np.ndarray, list[Person]], None] | None = None,
) -> dict[str, Any]:
    """Recover every photo and count: the measures of docs/protocols.md. `on_result` gets each photo's people.

    Raises InputError for weights of hands and for a detector that cannot be used: neither finds nobody.
    """
    if model.kind != "body":
        raise InputError(f"photos count people; these weights give a {model.kind}; give those of bodies, as anny-body")
    finder = get_detector(detector) if isinstance(detector, str) else detector
    found, reprojections, seconds = 0, [], []
    flexion: dict[bool, list[float]] = {False: [], True: []}  # degrees by whether the person is truncated
    extra = 0
    for photo in tqdm(photos, desc="test", unit="photo"):
        image = read_image(photo.path)
        start = time.perf_counter()
        people = _people(model, finder, photo.path, image)
        seconds.append(time.perf_counter() - start)
        found += min(len(people), photo.prominent)
        extra += max(len(people) - photo.prominent, 0)
        reprojections += [reprojection(person) for person in people]
        for upright in photo.upright:
            person = max(people, key=lambda p: overlap(keypoint_box(p), upright.box), default=None)
            if person is not None and overlap(keypoint_box(person), upright.box) >= SAME_BOX:
                legs = knee_flexion(torch.from_numpy(np.asarray(person.joints)), person.joint_names)
                flexion[upright.truncated] += legs.tolist()
        if on_result:
            on_result(photo, image, people)
    prominent = sum(photo.prominent for photo in photos)
    return {
        "photos": len(photos),
        "prominent": prominent,
        "found": found,
        "recall": found / max(prominent, 1),
        "extra": extra,
        "upright": {
            "count": sum(map(len, flexion.values())) // 2,
            "knee_flexion_median": _median(flexion[False]),
            "truncated_knee_flexion_median": _median(flexion[True]),
        },
        "reprojection": float(np.nanmean(reprojections)) if reprojections else None,
        "seconds_per_photo": float(np.mean(seconds)) if seconds else None,
    }


class _Known:
    """A detector that has looked already."""

    def __init__(self, found: Keypoints2D) -> None:
        self._found = found

    def detect(self, image: np.ndarray) -> Keypoints2D:
        return self._found


def _people(model: Pose2Mesh, finder: Detector, path: Path, image: np.ndarray) -> list[Person]:
    """Of one photo. What fails while it is looked at is raised: it says nothing of who is there."""
    found = finder.detect(image)
    model.converted(found)  # raises where this network cannot take what the detector finds
    try:
        return model.predict(path, detector=_Known(found))
    except InputError:  # nobody found, or too few visible joints
        return []


def reprojection(person: Person) -> float:
    """Mean distance of a mesh's joints from confident keypoints over the height of their box; NaN without any."""
    names = JointSet("output", tuple(person.joint_names), ())
    keypoints = np.asarray(person.keypoints, np.float64)  # [J, 3]
    points, sure = convert(
        keypoints[:, :2], keypoints[:, 2], JointSet("keypoints", tuple(person.keypoint_names), ()), names
    )
    sure = sure >= SURE
    if person.camera is None or not sure.any():
        return float("nan")
    height = max(float(np.ptp(points[sure, 1])), 1.0)
    distance = np.linalg.norm(person.camera.project(person.joints)[sure] - points[sure], axis=-1)
    return float(distance.mean()) / height


def keypoint_box(person: Person) -> tuple[float, float, float, float]:
    """Of the seen keypoints: left, top, right, bottom px."""
    seen = person.keypoints[person.keypoints[:, 2] > 0, :2]
    low, high = (seen.min(0), seen.max(0)) if len(seen) else (np.zeros(2), np.zeros(2))
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 0.0


def _median(values: list[float]) -> float | None:
    return float(np.nanmedian(values)) if values else None


def _box(sides: list[float]) -> tuple[float, float, float, float]:
    """Raises ValueError unless these are four."""
    left, top, right, bottom = map(float, sides)
    return left, top, right, bottom
