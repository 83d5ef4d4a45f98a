"""What is known of the camera: told by the user (a focal length, a matrix, a file with either), or by the picture."""

import json
import math
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pose2mesh.detectors.images import open_picture
from pose2mesh.errors import FormatError, InputError, MissingFileError, warn
from pose2mesh.geometry.projection import default_focal
from pose2mesh.npz import read_arrays
from pose2mesh.types import Intrinsics

IntrinsicsLike = Intrinsics | float | np.ndarray | Mapping[str, Any] | str | Path

SUFFIXES = (".json", ".yaml", ".yml", ".npz")
_MATRICES = ("K", "camera_matrix", "intrinsics")  # names of a 3 x 3 matrix
_NUMBERS = ("fx", "fy", "cx", "cy", "focal")
_SIZES = (("image_width", "image_height"), ("width", "height"))  # else image_size [2]
_DISTORTIONS = ("distortion_coefficients", "distortion", "dist_coeffs", "dist", "D", "k1", "k2", "k3", "p1", "p2")
_SQUARE = 0.02  # part by which fx and fy may differ, and by which a skew may bend: calibrations, not distorted pixels
_MOST_BYTES = 65536  # of a text file; nine numbers need no more
_EXPECTED = "expected fx, fy, cx, cy or a 3 x 3 matrix K, in pixels"
_EXIF, _FOCAL_35MM = 0x8769, 0xA405  # tags of EXIF 2.3: the camera's part, FocalLengthIn35mmFilm
_PLAUSIBLE = 5, 2000  # mm


@dataclass(frozen=True)
class Calibration(Intrinsics):
    """Intrinsics that tell the size of the pictures they are of."""

    image_size: tuple[int, int] = (0, 0)  # (width, height) pixels


def as_intrinsics(value: IntrinsicsLike) -> Intrinsics:
    """Intrinsics of a focal length (px), a matrix K [3, 3], a mapping with fx, fy, cx, cy or K, or a file of those.

    Of a mapping `focal` or fx alone is enough. Raises MissingFileError, FormatError for a damaged file, and InputError
    for what is no camera of ours: one focal length for both axes, no skew. Distortion is left out, with a warning.
    """
    if isinstance(value, Intrinsics):
        known = _checked(value.focal, value.focal, value.center, 0.0, "intrinsics")
        return replace(value, focal=known.focal, center=known.center)
    if isinstance(value, str | Path):
        return _of_mapping(_read(Path(value)), str(value))
    if isinstance(value, Mapping):
        return _of_mapping(value, "intrinsics")
    array = _numbers(value, "intrinsics")
    return _checked(array, array, None, 0.0, "intrinsics") if array.ndim == 0 else _of_matrix(array, "intrinsics")


def parse_size(text: str) -> tuple[int, int]:
    """(width, height) of "1920x1080". Raises InputError."""
    width, _, height = text.lower().partition("x")
    if not all(side.isascii() and side.isdigit() and 0 < int(side) < 10**6 for side in (width, height)):
        raise InputError(f"{text!r} is not WIDTHxHEIGHT in pixels, for example 1920x1080")
    return int(width), int(height)


def _read(path: Path) -> Mapping[str, Any]:
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: intrinsics come as {', '.join(SUFFIXES)}; {_EXPECTED}")
    if path.suffix.lower() == ".npz":
        return read_arrays(path, wanted=(*_MATRICES, *_NUMBERS), remedy=_EXPECTED)
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file; {_EXPECTED}")
    if path.stat().st_size > _MOST_BYTES:
        raise FormatError(f"{path} has more than {_MOST_BYTES} bytes, so it is no intrinsics; {_EXPECTED}")
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = json.loads(text) if path.suffix.lower() == ".json" else _load_yaml(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} cannot be read ({' '.join(str(error).split())[:100]}); {_EXPECTED}") from error
    if not isinstance(content, dict):
        raise FormatError(f"{path} holds no names with values; {_EXPECTED}")
    return content


def _load_yaml(text: str) -> Any:
    """Plain YAML without aliases, which could make a small file endless. Raises ValueError."""
    import yaml

    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise ValueError("aliases are not read")
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _of_mapping(values: Mapping[str, Any], where: str) -> Intrinsics:
    told = {name: _of_matrix(_numbers(values[name], f"{where}: {name}"), where) for name in _MATRICES if name in values}
    told |= {name: _of_numbers(values, values[name], where) for name in ("fx", "focal") if name in values}
    if not told:
        raise InputError(f"{where} has {', '.join(map(str, list(values)[:6])) or 'nothing'}; {_EXPECTED}")
    first, *others = told.items()
    for name, other in others:
        if not _agree(first[1], other):
            raise InputError(f"{where}: {first[0]} and {name} are of different cameras; leave one of them out")
    if any(np.any(_floats(values[name])) for name in _DISTORTIONS if name in values):
        warn(f"{where}: the distortion is not used; undistort the picture, or its keypoints, first")
    found = next((camera for camera in told.values() if camera.center), first[1])
    size = _size_of(values, where)
    return Calibration(found.focal, found.center, size) if size else found


def _of_numbers(values: Mapping[str, Any], fx: Any, where: str) -> Intrinsics:
    if ("cx" in values) != ("cy" in values):
        raise InputError(f"{where} has one of cx and cy; give both, or neither for the middle of the picture")
    center = (values["cx"], values["cy"]) if "cx" in values else None
    return _checked(fx, values.get("fy", fx), center, 0.0, where)


def _agree(one: Intrinsics, other: Intrinsics) -> bool:
    centers = one.center or other.center, other.center or one.center
    return math.isclose(one.focal, other.focal, rel_tol=_SQUARE) and (
        None in centers or np.allclose(*centers, atol=1.0)  # pyright: ignore[reportArgumentType]
    )


def _size_of(values: Mapping[str, Any], where: str) -> tuple[int, int] | None:
    """(width, height) of the pictures, where the mapping tells it."""
    told = values.get("image_size")
    for sides in _SIZES:
        if told is None and all(values.get(side) is not None for side in sides):
            told = [values[side] for side in sides]
    if told is None:
        return None
    width, height = _numbers(told, f"{where}: image_size", (2,))
    return int(width), int(height)


def _floats(value: Any) -> np.ndarray:
    """Distortion as numbers; zero where it is none."""
    try:
        value = value.get("data") if isinstance(value, Mapping) else value  # as ROS writes it
        return np.nan_to_num(np.asarray(value, np.float64))
    except (TypeError, ValueError):
        return np.zeros(0)


def _of_matrix(matrix: np.ndarray, where: str) -> Intrinsics:
    """Of K [3, 3] with the last row 0, 0, 1."""
    if matrix.shape != (3, 3) or not np.allclose(matrix[2], [0, 0, 1]) or abs(matrix[1, 0]) > 1e-6:
        raise InputError(f"{where} is no camera matrix [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]")
    return _checked(matrix[0, 0], matrix[1, 1], (matrix[0, 2], matrix[1, 2]), matrix[0, 1], where)


def _checked(fx: Any, fy: Any, center: Any, skew: float, where: str) -> Intrinsics:
    fx, fy = (float(_numbers(value, where, ())) for value in (fx, fy))
    if not min(fx, fy) > 0:
        raise InputError(f"{where}: focal length is {min(fx, fy):g}; it must be pixels > 0")
    if max(abs(fx - fy), abs(skew)) > _SQUARE * max(fx, fy):
        raise InputError(
            f"{where}: fx {fx:g}, fy {fy:g}, skew {skew:g} are of pixels that are no squares; scale the picture first"
        )
    if center is None:
        return Intrinsics(math.sqrt(fx * fy))
    x, y = _numbers(center, f"{where}: principal point", (2,))
    if min(x, y) > 0 and max(x, y) <= 1:
        raise InputError(
            f"{where}: the principal point {x:g}, {y:g} is in fractions; give pixels of this picture, not millimetres "
            "nor fractions"
        )
    return Intrinsics(math.sqrt(fx * fy), (float(x), float(y)))


def _numbers(value: Any, where: str, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """A finite float64 array, of that shape if one is given. Raises InputError."""
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        array = np.array(np.nan)
    if not np.isfinite(array).all() or shape not in (None, array.shape):
        raise InputError(f"{where}: {str(value)[:60]!r} are no finite numbers of a camera; {_EXPECTED}")
    return array


_FILM = default_focal((36.0, 24.0))  # mm, the diagonal of 35 mm film, by which equivalent focal lengths are defined


def exif_focal(source: Any, shape: tuple[int, ...]) -> Intrinsics | None:
    """Focal length in pixels of a file or Pillow's picture of the shape [H, W, ...]; None where it does not tell,
    nothing sensible, or is an array. A crop that keeps the tag of the whole picture cannot be told from the whole.
    """
    try:
        with open_picture(source) if isinstance(source, Path) else nullcontext(source) as picture:
            millimetres = float(picture.getexif().get_ifd(_EXIF).get(_FOCAL_35MM, 0))
    except Exception:  # damaged tags raise whatever their parser meets; the picture itself was read
        return None
    if not _PLAUSIBLE[0] <= millimetres <= _PLAUSIBLE[1]:  # 0 means unknown
        return None
    return Intrinsics(millimetres / _FILM * default_focal((shape[1], shape[0])))
