"""Read the bodies that `tools/assets/build.py` baked, and check them before anything is computed with them."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from scipy.sparse import csr_matrix

from pose2mesh.errors import FormatError
from pose2mesh.npz import read_arrays

_MATRICES = ("J_regressor", "keypoint_regressor")
_REQUIRED = (
    *("v_template", "shapedirs", "f", "weights", "heads", "kintree_table", "bone_names", "keypoint_names"),
    *("vt", "ft"),
    *(f"{matrix}_{part}" for matrix in _MATRICES for part in ("data", "indices", "indptr")),
)
_REMEDY = "restore it or run `python -m tools.assets.build`"
T = TypeVar("T")
_INCONSISTENT = (ValueError, KeyError, TypeError, IndexError, RuntimeError)  # arrays that do not fit together


def read_baked(path: Path, make: Callable[[dict[str, np.ndarray], tuple[str, ...], dict[str, np.ndarray]], T]) -> T:
    """`make(arrays, bone_names, keypoint_rows)` of a baked body's checked content, as `LinearBlendBody` takes it.

    Raises MissingFileError; FormatError for a damaged file.
    """
    file = read_arrays(path, _REQUIRED, remedy=_REMEDY)
    try:
        return make(*_checked(file))
    except _INCONSISTENT as error:
        raise FormatError(f"body model {path} does not fit together: {error}; {_REMEDY}") from error


def _checked(file: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], tuple[str, ...], dict[str, np.ndarray]]:
    columns = len(file["v_template"])
    weights, bones = file["weights"].astype(np.float64), tuple(file["bone_names"].tolist())
    arrays = {
        "v_template": file["v_template"],
        "shapedirs": file["shapedirs"],
        "J_regressor": _csr(file, "J_regressor", columns),
        "heads": file["heads"],
        "weights": weights / np.maximum(weights.sum(1, keepdims=True), 1e-6),
        "parents": file["kintree_table"][0],
        "faces": file["f"],
        "uv": file["vt"],
        "uv_faces": file["ft"],
    }
    keypoints = _csr(file, "keypoint_regressor", columns)
    rows = dict(zip(file["keypoint_names"].tolist(), keypoints, strict=True))
    _check_fit(arrays, columns, len(bones))
    return arrays, bones, rows


def _csr(file: dict[str, np.ndarray], prefix: str, columns: int) -> np.ndarray:
    parts = (file[f"{prefix}_data"], file[f"{prefix}_indices"], file[f"{prefix}_indptr"])
    matrix = csr_matrix(parts, shape=(len(parts[2]) - 1, columns))
    matrix.check_format(full_check=True)  # indices beyond the columns would be written outside the array
    return matrix.toarray()


def _check_fit(arrays: dict[str, np.ndarray], vertices: int, bones: int) -> None:
    """Raise ValueError where arrays of a body with V vertices and K bones have other sizes or values."""
    components = arrays["shapedirs"].shape[-1]
    shapes = {
        "v_template": (vertices, 3),
        "shapedirs": (vertices, 3, components),
        "J_regressor": (bones, vertices),
        "heads": (bones, 3, 1 + components),
        "weights": (vertices, bones),
        "parents": (bones,),
        "faces": (len(arrays["faces"]), 3),
        "uv": (len(arrays["uv"]), 2),
        "uv_faces": arrays["faces"].shape,
    }
    for name, shape in shapes.items():
        if arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} is {list(arrays[name].shape)} or not finite, expected {list(shape)}")
    if (arrays["parents"] >= np.arange(bones)).any() or arrays["faces"].max() >= vertices:
        raise ValueError("parents or faces point at what comes later or is not there")
    if arrays["uv_faces"].max() >= len(arrays["uv"]):
        raise ValueError("faces in UV space point at corners that are not there")
