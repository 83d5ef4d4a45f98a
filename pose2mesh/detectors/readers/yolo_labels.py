"""Ultralytics' labels: a `.txt` file per picture, a line per person, everything in fractions of the picture.

Source: docs.ultralytics.com/datasets/pose (class x y width height, then x y or x y visibility for each joint); what
`save_txt` writes may end with a confidence of the box and a track.
"""

from pathlib import Path

import numpy as np

from pose2mesh.detectors.readers.frame import FoundPerson, Picture
from pose2mesh.detectors.readers.naming import SET_OF_COUNT
from pose2mesh.errors import FormatError, InputError

_BOX = 5  # class and box
_LARGEST_FILE = 64 * 1024 * 1024  # bytes


def read_labels(path: Path) -> list[Picture]:
    """The single picture of a label file."""
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise InputError(f"{path}: too large for the labels of one picture")
        lines = [line.split() for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: not a text of labels") from error
    people = [FoundPerson(_person(words, f"{path}: line {i}")) for i, words in enumerate(lines, 1)]
    return [Picture(path.stem, people, str(path), unit="fractions")]


def _person(words: list[str], where: str) -> np.ndarray:
    """Joints [J, 2 or 3] of one line."""
    try:
        numbers = np.array([float(word) for word in words])
    except ValueError as error:
        raise FormatError(f"{where}: not a line of numbers, so no label of Ultralytics") from error
    for width, more in ((3, 0), (3, 1), (3, 2), (2, 0), (2, 1), (2, 2)):  # more: confidence, track
        joints, rest = divmod(len(numbers) - _BOX - more, width)
        if rest == 0 and joints in SET_OF_COUNT:
            if numbers[0] != 0:
                raise FormatError(f"{where}: class {numbers[0]:g} is no person (0)")
            return numbers[_BOX : _BOX + joints * width].reshape(joints, width)
    raise FormatError(f"{where}: {len(numbers)} numbers are no class, box and joints of a person")
