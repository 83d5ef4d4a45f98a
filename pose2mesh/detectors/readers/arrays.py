"""NPY and NPZ arrays of keypoints."""

from pathlib import Path

import numpy as np

from pose2mesh import npz
from pose2mesh.detectors.readers.frame import FoundPerson, Picture, number_array
from pose2mesh.detectors.readers.hands import check_sides
from pose2mesh.errors import FormatError
from pose2mesh.types import Intrinsics

_KEY, _SIDES, _NAMES = "keypoints", "handedness", "keypoint_names"
_EASY = 8_000_000  # numbers that any machine holds; larger arrays must be as large on disk, within a factor
_MOST_PACKED = 20  # bytes of an array for each byte of its file; real keypoints pack to a third


def read_arrays(path: Path) -> list[Picture]:
    """Pictures of [J, 2|3], [P, J, 2|3] (one picture) or [T, P, J, 3] (named `{stem}_{t}`).

    An NPZ file may tell the sides of hands beside them, `handedness` [P], text, left or right,
    the names of the joints, `keypoint_names` [J], and the picture's size and camera, `camera_image_size` [P, 2],
    `camera_focal` [P] and `camera_center` [P, 2], as results do.
    """
    limit = max(8 * _EASY, _MOST_PACKED * path.stat().st_size)  # bytes
    is_npz = path.suffix.lower() == ".npz"
    arrays = npz.read_arrays(path, (_KEY,), limit=limit) if is_npz else {_KEY: npz.read_array(path)}
    array = arrays[_KEY]
    if array.size * 8 > limit:  # as float64
        raise FormatError(
            f"{path}: {array.size} numbers in {path.stat().st_size} bytes, packed tighter than keypoints are"
        )
    array = number_array(array, str(path))
    if array.ndim not in (2, 3, 4) or array.shape[-1] not in (2, 3):
        raise FormatError(f"{path}: keypoints have shape {list(array.shape)}, expected [joints, 2 or 3] per person")
    frames = array.reshape(-1, *array.shape[-3:]) if array.ndim > 2 else array[None, None]  # [T, P, J, 2 or 3]
    sides = (
        check_sides(tuple(map(str, arrays[_SIDES].ravel())), frames.shape[1], str(path)) if _SIDES in arrays else None
    )
    names = tuple(map(str, arrays[_NAMES].ravel())) if _NAMES in arrays else None
    size, focal, center = (_shared(arrays, f"camera_{name}") for name in ("image_size", "focal", "center"))
    is_known = len(focal) == 1 and focal[0] > 0 and len(center) == 2
    many = array.ndim == 4
    return [
        Picture(
            name=f"{path.stem}_{t:06d}" if many else path.stem,
            people=[FoundPerson(person) for person in people],
            where=f"{path}: frame {t}" if many else str(path),
            size=(int(size[0]), int(size[1])) if len(size) == 2 and min(size) > 0 else None,
            names=names,
            scored=False,
            sides=sides,
            camera=Intrinsics(focal[0], (center[0], center[1])) if is_known else None,
        )
        for t, people in enumerate(frames)
    ]


def _shared(arrays: dict[str, np.ndarray], name: str) -> list[float]:
    """What an array [P] or [P, C] says of everybody alike; nothing where people differ, or it is not there."""
    rows = arrays.get(name, np.zeros(0))
    is_told = rows.ndim in (1, 2) and rows.size and rows.dtype.kind in "iuf" and np.isfinite(rows).all()
    is_told = is_told and (rows == rows[0]).all()
    return np.atleast_1d(rows[0]).astype(float).tolist() if is_told else []
