"""Ultralytics' labels: a `.txt` file per picture, a line per person, everything in fractions of the picture.

Source: docs.ultralytics.com/datasets/pose (class x y width height, then x y or x y visibility for each joint); what
`save_txt` writes may end with a confidence of the box and a track. Nothing says which of it a line has, and 51 numbers
are `coco17` with visibilities as well as `openpose25` without. But joints that follow each other in a set lie near each
other, so numbers differ least from those of the same column.
"""

from collections import defaultdict
from pathlib import Path

import numpy as np

from pose2mesh.detectors.readers.frame import FoundPerson, Picture
from pose2mesh.detectors.readers.meaning import FRACTIONS_END
from pose2mesh.detectors.readers.naming import KNOWN_COUNTS
from pose2mesh.errors import FormatError, InputError
from pose2mesh.skeletons import joint_set as find_joint_set

_BOX = 5  # class and box
_LARGEST_FILE = 64 * 1024 * 1024  # bytes
# By how much less numbers must differ in one reading than in the other. Measured on 737 people of COCO and 109 found in
# photos: the right reading differs less for every one, and by this much for 97 to 100 % of them, by joint set.
_CLEARLY = 0.8


def read_labels(path: Path, joint_set: str | None = None) -> list[Picture]:
    """The single picture of a label file; `joint_set` decides where a line may be several sets."""
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise InputError(f"{path}: too large for the labels of one picture")
        lines = [line.split() for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: not a text of labels") from error
    rows = [_numbers(words, f"{path}: line {i}") for i, words in enumerate(lines, 1)]
    places = defaultdict(list)  # of the lines of each length, which tell together what they are
    for place, row in enumerate(rows):
        places[len(row)].append(place)
    people = [FoundPerson(None)] * len(rows)
    for alike in places.values():
        joints = _joints(np.stack([rows[i] for i in alike]), joint_set, f"{path}: line {alike[0] + 1}")
        for place, body in zip(alike, joints, strict=True):
            people[place] = FoundPerson(body)
    return [Picture(path.stem, people, str(path), unit="fractions")]


def _numbers(words: list[str], where: str) -> np.ndarray:
    """The numbers [N] of one line."""
    try:
        numbers = np.array([float(word) for word in words])
    except ValueError as error:
        raise FormatError(f"{where}: not a line of numbers, so no label of Ultralytics") from error
    if numbers[0] != 0:
        raise FormatError(f"{where}: class {numbers[0]:g} is no person (0)")
    return numbers


def _joints(rows: np.ndarray, joint_set: str | None, where: str) -> np.ndarray:
    """Joints [P, J, 2 or 3] of lines [P, N]."""
    length = rows.shape[1] - _BOX
    readings = [
        rows[:, _BOX : _BOX + length - more].reshape(len(rows), (length - more) // width, width)
        for width in (3, 2)
        for more in range(3)
        if length - more > 0 and (length - more) % width == 0 and _may_follow(rows[:, _BOX + length - more :])
    ]
    wanted = [joints for joints in readings if joint_set and joints.shape[1] == len(find_joint_set(joint_set))]
    readings = wanted or [joints for joints in readings if joints.shape[1] in KNOWN_COUNTS]
    if not readings:
        raise FormatError(f"{where}: {rows.shape[1]} numbers are no class, box and joints of a person")
    readings = _clearest(readings, rows) or readings
    if len({joints.shape[1] for joints in readings}) > 1:
        told = " or ".join(f"{joints.shape[1]} joints of {joints.shape[2]} numbers" for joints in readings)
        raise InputError(f"{where}: {rows.shape[1]} numbers may be {told}; say which by --joint-set")
    return readings[0]


def _may_follow(more: np.ndarray) -> bool:
    """Whether numbers [P, M] may be what follows the joints: a confidence, a track or both."""
    tracks = (more >= 1) & (more % 1 == 0)
    scores = (more > 0) & (more <= 1)
    return bool((scores | tracks if more.shape[1] == 1 else np.hstack([scores[:, :1], tracks[:, 1:]])).all())


def _clearest(readings: list[np.ndarray], rows: np.ndarray) -> list[np.ndarray]:
    """Those of the readings [P, J, 2 or 3] of lines [P, N] with coordinates that are fractions and columns that are
    clear; none where nothing is.
    """
    readings = [joints for joints in readings if joints[..., :2].max() < FRACTIONS_END]
    if len({joints.shape[2] for joints in readings}) < 2:
        return readings
    values = rows[:, _BOX : _BOX + min(joints[0].size for joints in readings)]
    three, two = _difference(values, 3), _difference(values, 2)
    width = 3 if three <= _CLEARLY * two else 2 if two <= _CLEARLY * three else 0
    return [joints for joints in readings if joints.shape[2] == width]


def _difference(values: np.ndarray, width: int) -> float:
    """By how much values [P, N], zeros left out, differ from the next of their column on average."""
    before, after = values[:, :-width], values[:, width:]
    both = (before != 0) & (after != 0)
    return float(np.abs(after - before)[both].sum() / max(both.sum(), 1))
