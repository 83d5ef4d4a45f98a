"""Annotation files: JSON whose every fault is reported as file, key and remedy."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from pose2mesh.errors import FormatError, MissingFileError

_LEAST_CONFIDENCE = 0.01  # of a joint that a detector reports
_LONGEST_ID = 19  # digits
_LARGEST_NUMBER = 1e7  # pixels, millimetres; a larger one is damage


class Entry:
    """An object of a JSON file; remembers where it stands."""

    __slots__ = ("content", "file", "remedy", "where")

    def __init__(self, content: Any, file: Path, where: str, remedy: str):
        self.content, self.file, self.where, self.remedy = content, file, where, remedy
        if not isinstance(content, dict):
            raise self.fault("is no JSON object")

    def fault(self, what: str) -> FormatError:
        """The error to raise about this entry."""
        return FormatError(f"{self.file}: {self.where or 'the file'} {what}; {self.remedy}")

    def __contains__(self, key: object) -> bool:
        return str(key) in self.content

    def value(self, key: str | int) -> Any:
        """What stands under a key. Raises FormatError naming it where it is missing."""
        if str(key) not in self.content:
            raise self.fault(f"lacks {str(key)!r}")
        return self.content[str(key)]

    def child(self, *keys: str | int) -> "Entry":
        """An object below, through one or more keys."""
        entry = self
        for key in keys:
            entry = Entry(entry.value(key), self.file, f"{entry.where}[{str(key)!r}]", self.remedy)
        return entry

    def integer(self, key: str) -> int:
        """A whole number, or its digits as a text: published files wrap ids in str()."""
        number = self.value(key)
        if isinstance(number, str) and number.isascii() and number.isdigit() and len(number) < _LONGEST_ID:
            return int(number)
        if isinstance(number, bool) or not isinstance(number, int | float) or number % 1 != 0:  # NaN is not 0 either
            raise self.fault(f"has {key!r} = {str(number)[:40]!r}, not a whole number")
        return int(number)

    def text(self, key: str) -> str:
        """A string."""
        value = self.value(key)
        if not isinstance(value, str):
            raise self.fault(f"has {key!r} = {str(value)[:40]!r}, not a text")
        return value

    def numbers(self, key: str | int, shape: tuple[int, ...]) -> np.ndarray:
        """Finite numbers [shape] float32; how the file nests them does not matter."""
        array = self.any_numbers(key)
        if array.size != int(np.prod(shape)):
            raise self.fault(f"has {array.size} numbers under {str(key)!r}, expected {list(shape)}")
        if not (np.abs(array) < _LARGEST_NUMBER).all():  # NaN compares false
            raise self.fault(f"has numbers under {str(key)!r} that are not finite or beyond 1e7")
        return array.reshape(shape)

    def any_numbers(self, key: str | int) -> np.ndarray:
        """Numbers float32 in the shape of the file, NaN and all."""
        try:
            with np.errstate(over="ignore"):  # to infinity, which the caller looks for
                return np.array(self.value(key), np.float32)
        except (TypeError, ValueError, OverflowError) as error:
            raise self.fault(f"has no array of numbers under {str(key)!r}") from error


def read_entry(path: Path, remedy: str) -> Entry:
    """The object that a JSON file holds. Raises MissingFileError, FormatError."""
    return Entry(read_json(path, remedy), path, "", remedy)


def read_coco(path: Path, remedy: str) -> tuple[dict[int, Entry], list[Entry]]:
    """(images by id, annotations) of a file in COCO's format."""
    content = read_entry(path, remedy)
    images = _entries(content.value("images"), path, "images", remedy)
    return {image.integer("id"): image for image in images}, _entries(
        content.value("annotations"), path, "annotations", remedy
    )


def image_of(annotation: Entry, images: dict[int, Entry]) -> Entry:
    """The picture that an annotation belongs to."""
    image_id = annotation.integer("image_id")
    if image_id not in images:
        raise annotation.fault(f"names image_id {str(image_id)[:40]}, which 'images' does not have")
    return images[image_id]


def has_box(annotation: Entry) -> bool:
    """Whether the box [x, y, width, height] is at least a pixel wide and high; the release leaves the others out."""
    return bool((annotation.numbers("bbox", (4,))[2:] >= 1).all())


def joints_by_id(path: Path, key: str, num_joints: int, remedy: str) -> dict[int, np.ndarray]:
    """2D detections [J, 3] by the integer under `key`; files without confidences count as sure."""
    found = {}
    for entry in _entries(read_json(path, remedy), path, "", remedy):
        points = entry.any_numbers("keypoints")
        if points.size % num_joints or points.size // num_joints < 2 or not np.isfinite(points).all():
            raise entry.fault(f"has no finite x, y of {num_joints} joints under 'keypoints'")
        found[entry.integer(key)] = as_found(points.reshape(num_joints, -1))
    return found


def as_found(points: np.ndarray) -> np.ndarray:
    """Detections [J, 2] or more columns to [J, 3]: never of confidence 0, for the release uses them whatever it is."""
    found = with_confidence(points)
    found[:, 2] = found[:, 2].clip(_LEAST_CONFIDENCE)
    return found


def with_confidence(points: np.ndarray) -> np.ndarray:
    """[J, 2] or more columns to [J, 3] float32: x, y, confidence cut to [0, 1]; 1 where there is none."""
    third = points[:, 2:3].clip(0, 1) if points.shape[1] > 2 else np.ones((len(points), 1))
    return np.concatenate([points[:, :2], third], 1).astype(np.float32)


def read_json(path: Path, remedy: str) -> Any:
    """Parse a JSON file; NaN is let through: published files hold it. Raises MissingFileError, FormatError."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise MissingFileError(f"{path} not found; {remedy}") from error
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:100]
        raise FormatError(f"{path}: not valid JSON, perhaps truncated ({reason}); {remedy}") from error


def _entries(content: Any, path: Path, where: str, remedy: str) -> list[Entry]:
    if not isinstance(content, list):
        raise FormatError(f"{path}: {where or 'the file'} is no JSON list; {remedy}")
    return [Entry(item, path, f"{where}[{i}]", remedy) for i, item in enumerate(content)]
