"""JSON that somebody else wrote: its loading, and small checks that the readers share."""

import json
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from pose2mesh.detectors.readers.frame import number_array
from pose2mesh.errors import FormatError, InputError

LARGEST_FILE = 512 * 1024 * 1024  # bytes; a day of video at one person per frame stays below


def objects(values: Any, where: str, what: str) -> list[dict]:
    """A list of JSON objects; FormatError for anything else."""
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise FormatError(f"{where}: {what} is not a list of objects")
    return values


def all_have(values: Any, *keys: str) -> bool:
    """Whether `values` is a list of JSON objects, none empty of all the keys, with somebody in it."""
    return (
        isinstance(values, list)
        and bool(values)
        and all(isinstance(value, dict) and any(key in value for key in keys) for value in values)
    )


def flat_joints(values: Any, where: str) -> np.ndarray:
    """[x, y, c, x, y, c, ...] as an array [J, 3]; FormatError when the length is no multiple of 3."""
    array = number_array(values, where)
    if array.ndim != 1 or len(array) % 3:
        raise FormatError(f"{where}: keypoints must be a flat list of x, y, confidence; got shape {list(array.shape)}")
    return array.reshape(-1, 3)


def rows_of_joints(values: Any, where: str) -> np.ndarray:
    """[[x, y], ...] or [[x, y, c], ...] as an array [J, 2 or 3]."""
    array = number_array(values, where)
    if array.ndim != 2 or array.shape[1] not in (2, 3):
        raise FormatError(f"{where}: keypoints have shape {list(array.shape)}, expected [joints, 2 or 3]")
    return array


def part_of(
    person: dict, keys: tuple[str, ...], read: Callable[[Any, str], np.ndarray], where: str
) -> np.ndarray | None:
    """What `read` makes of the first key that a person has; None where that is none, null, or an empty list."""
    values = next((person[key] for key in keys if key in person), None)
    return read(values, where) if values not in (None, []) else None


def size_of(values: dict, width: str = "width", height: str = "height") -> tuple[int, int] | None:
    """(width, height) of a picture where both are given and sound: whole numbers, also as 640.0 or "640"."""
    w, h = (_whole(values.get(side)) for side in (width, height))
    return (w, h) if 0 < min(w, h) <= max(w, h) < 1e6 else None


def _whole(value: Any) -> int:
    """A whole number however it was written; 0 for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    return int(value) if isinstance(value, int | float) and value is not True and value == value // 1 else 0


def stem_of(name: int | str) -> str:
    """Stem of a picture's file name, from whatever system."""
    return PurePosixPath(str(name).replace("\\", "/")).stem or "frame"


def numbered(path: Path, number: Any, index: int) -> str:
    """Name of a video's frame: by its own number where it has a sound one."""
    return f"{path.stem}_{number if isinstance(number, int) and 0 <= number < 1e9 else index:06d}"


def load_json(path: Path) -> Any:
    """Parse a JSON file. FormatError when it is truncated, not UTF-8, too deep, or holds NaN/Infinity."""
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise InputError(f"{path}: {size / 1e6:.0f} MB of JSON; the limit is 512 MB, split the file")
        return json.loads(path.read_bytes(), parse_constant=lambda word: _refuse_constant(path, word))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except RecursionError as error:
        raise FormatError(f"{path}: nested too deeply to be a keypoint file") from error
    except ValueError as error:  # JSONDecodeError, UnicodeDecodeError, an integer of too many digits
        raise FormatError(f"{path}: not valid JSON, perhaps truncated ({error})") from error


def _refuse_constant(path: Path, word: str) -> None:
    raise FormatError(f"{path}: holds {word}, which JSON does not allow; write missing joints with confidence 0")
