"""NPY and NPZ arrays of keypoints."""

from pathlib import Path

import numpy as np

from pose2mesh import npz
from pose2mesh.detectors.readers.frame import Frame, number_array, to_keypoints
from pose2mesh.detectors.readers.hands import check_sides

_KEY, _SIDES = "keypoints", "handedness"


def read_arrays(path: Path, joint_set: str | None) -> list[Frame]:
    """Frames of [J, 2|3], [P, J, 2|3] (one frame) or [T, P, J, 3] (named `{stem}_{t}`).

    An NPZ file may tell the sides of hands beside them: `handedness` [P], text, left or right.
    """
    arrays = npz.read_arrays(path, (_KEY,)) if path.suffix.lower() == ".npz" else {_KEY: npz.read_array(path)}
    array = number_array(arrays[_KEY], str(path))
    people = array[None] if array.ndim == 2 else array  # [P, J, 2 or 3] or [T, P, J, 3]
    sides = _sides(arrays, people.shape[-3] if people.ndim > 2 else 0, path)
    if array.ndim == 4:
        return [
            Frame(f"{path.stem}_{t:06d}", to_keypoints(people, f"{path}: frame {t}", joint_set, handedness=sides))
            for t, people in enumerate(array)
        ]
    return [Frame(path.stem, to_keypoints(people, str(path), joint_set, handedness=sides))]


def _sides(arrays: dict[str, np.ndarray], count: int, path: Path) -> tuple[str, ...] | None:
    return check_sides(tuple(map(str, arrays[_SIDES].ravel())), count, str(path)) if _SIDES in arrays else None
