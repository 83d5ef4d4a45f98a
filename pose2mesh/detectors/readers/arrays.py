"""NPY and NPZ arrays of keypoints."""

from pathlib import Path

import numpy as np

from pose2mesh import npz
from pose2mesh.detectors.readers.frame import FoundPerson, Picture, number_array
from pose2mesh.detectors.readers.frame_names import even_step
from pose2mesh.detectors.readers.hands import check_sides
from pose2mesh.errors import FormatError
from pose2mesh.types import Intrinsics

_KEY, _SIDES, _NAMES = "keypoints", "handedness", "keypoint_names"
_ROW, _RATE = ("frame", "track"), "fps"  # of a motion: of each row, and of all
_SCORES = ("keypoint_scores", "confidence")
_CAMERA = {"camera_image_size": 2, "camera_focal": 1, "camera_center": 2}  # numbers of each
_WANTED = (_SIDES, _NAMES, *_SCORES, *_CAMERA)
_EASY = 8_000_000  # numbers that any machine holds; larger arrays must be as large on disk, within a factor
_MOST_PACKED = 20  # bytes of an array for each byte of its file; real keypoints pack to a third


def read_arrays(path: Path) -> list[Picture]:
    """Pictures of [J, 2|3], [P, J, 2|3] (one picture) or [T, P, J, 3] (named `{stem}_{t}`).

    An NPZ file may tell the sides of hands beside them, `handedness` [P], text, left or right,
    the names of the joints, `keypoint_names` [J], their confidences, `keypoint_scores` or `confidence` [P, J], and the
    picture's size and camera, `camera_image_size` [P, 2], `camera_focal` [P] and `camera_center` [P, 2], as results do,
    or [2], [] and [2], as motions do. Of a motion, whose rows [N, J, 3] have `frame` [N] and `track` [N], every frame
    is a picture, `{stem}_{frame}`.
    """
    limit = max(8 * _EASY, _MOST_PACKED * path.stat().st_size)  # bytes
    is_npz = path.suffix.lower() == ".npz"
    arrays = npz.read_arrays(path, (_KEY,), wanted=_WANTED, limit=limit) if is_npz else {_KEY: npz.read_array(path)}
    array = arrays[_KEY]
    if array.size * 8 > limit:  # as float64
        raise FormatError(
            f"{path}: {array.size} numbers in {path.stat().st_size} bytes, packed tighter than keypoints are"
        )
    array = number_array(array, str(path))
    if array.ndim not in (2, 3, 4) or array.shape[-1] not in (2, 3):
        raise FormatError(f"{path}: keypoints have shape {list(array.shape)}, expected [joints, 2 or 3] per person")
    array, scored = _with_scores(array, arrays, str(path))
    stacked = array.reshape(-1, *array.shape[-3:]) if array.ndim > 2 else array[None, None]  # [T, P, J, 2 or 3]
    frames = _of_motion(array, arrays)
    many = array.ndim == 4 or bool(frames)
    sides, names = (tuple(map(str, arrays[name].ravel())) if name in arrays else None for name in (_SIDES, _NAMES))
    sides = check_sides(sides, stacked.shape[1], str(path)) if sides and not frames else None
    size, focal, center = (_shared(arrays, name, length, str(path)) for name, length in _CAMERA.items())
    camera = Intrinsics(focal[0], (center[0], center[1]) if center else None) if max(focal, default=0) > 0 else None
    return [
        Picture(
            name=f"{path.stem}_{t:06d}" if many else path.stem,
            people=[FoundPerson(person) for person in people],
            where=f"{path}: frame {t}" if many else str(path),
            size=(int(size[0]), int(size[1])) if min(size, default=0) > 0 else None,
            names=names,
            scored=scored,
            sides=sides,
            tracks=tracks,
            camera=camera,
        )
        for t, people, tracks in frames or [(t, people, ()) for t, people in enumerate(stacked)]
    ]


def rate_in(path: Path) -> float | None:
    """Frames a second of a file of a motion, counted as `keypoint_frames` numbers them; None of other files."""
    arrays = npz.read_arrays(path) if path.suffix.lower() == ".npz" and path.is_file() else {}
    keypoints, rate = arrays.get(_KEY), arrays.get(_RATE)
    if keypoints is None or rate is None or {keypoints.dtype.kind, rate.dtype.kind} - {*"fiu"} or rate.shape != ():
        return None
    numbers = [number for number, *_ in _of_motion(keypoints, arrays)]
    return float(rate) / (even_step(numbers) or 1) if numbers else None


def _of_motion(array: np.ndarray, arrays: dict[str, np.ndarray]) -> list[tuple[int, np.ndarray, tuple]]:
    """Number, people [P, J, 2 or 3] and tracks of each frame of a motion's keypoints [N, J, 2 or 3], where somebody was
    detected; nothing of other arrays.
    """
    told = [arrays[name] for name in _ROW if name in arrays]
    if array.ndim != 3 or len(told) < 2 or any(v.dtype.kind not in "iu" or v.shape != array.shape[:1] for v in told):
        return []
    frame, track = told  # [N] each
    shown = np.flatnonzero(array.any((1, 2)))  # elsewhere somebody was not detected, and all is zero
    rows = shown[np.argsort(frame[shown], kind="stable")]
    parts = np.split(rows, np.flatnonzero(np.diff(frame[rows])) + 1) if len(rows) else []
    return [
        (int(frame[own[0]]), array[own], tuple(n if n >= 0 else None for n in track[own].tolist())) for own in parts
    ]


def _with_scores(points: np.ndarray, arrays: dict[str, np.ndarray], where: str) -> tuple[np.ndarray, bool]:
    """Keypoints [..., J, 2 or 3] with the confidences that stand beside them, and whether any do."""
    name = next((name for name in _SCORES if name in arrays), None)
    if name is None:
        return points, False
    scores, joints = number_array(arrays[name], f"{where}: {name}"), points.shape[:-1]
    if [n for n in scores.shape if n > 1] != [n for n in joints if n > 1]:
        raise FormatError(
            f"{where}: {name} has shape {list(scores.shape)}, expected {list(joints)}, one for each joint; call it "
            "otherwise if it is something else"
        )
    scores = scores.reshape(*joints, 1)
    if points.shape[-1] == 3 and not np.allclose(points[..., 2:], scores, equal_nan=True):
        raise FormatError(f"{where}: three coordinates beside {name} are joints in 3D; give 2D ones, in pixels")
    return np.concatenate([points[..., :2], scores], axis=-1), True


def _shared(arrays: dict[str, np.ndarray], name: str, length: int, where: str) -> list[float]:
    """What an array [P, `length`], or of one for all, says of everybody alike; nothing where people differ, or it is
    not there. Raises FormatError for other shapes.
    """
    if name not in arrays:
        return []
    values, row = arrays[name], () if length == 1 else (length,)
    if values.dtype.kind not in "iuf" or values.shape not in (row, (len(np.atleast_1d(values)), *row)):
        shapes = f"[people, {length}] or [{length}]" if row else "[people] or []"
        raise FormatError(f"{where}: {name} is {values.dtype} {list(values.shape)}; expected numbers {shapes}")
    rows = values.reshape(-1, length).astype(float)  # [P or 1, length]
    is_told = len(rows) > 0 and np.isfinite(rows).all() and (rows == rows[0]).all()
    return rows[0].tolist() if is_told else []
