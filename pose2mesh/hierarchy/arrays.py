"""A hierarchy as plain arrays and back, and the digest of that content."""

import hashlib
import json
from typing import Any

import numpy as np
from scipy import sparse

from pose2mesh.hierarchy.hierarchy import Hierarchy

FORMAT = "pose2mesh-hierarchy-1"

# Fields that are a tuple of sparse matrices, with the precision of their values on disk. Weights between levels lose
# 3e-8 in float32, far below what a vertex is known to; the Laplacians enter powers and stay exact.
_MATRICES = {"laplacians": np.float64, "upsample": np.float32, "pool": np.float32}
_ARRAYS = ("is_real", "vertex_ids", "level_faces")  # fields that are a tuple of arrays
_SINGLE = ("faces", "permutation", "inverse")
_HEADER = ("pooling", "num_vertices", "lambda_max", "joint_set")


def hierarchy_to_arrays(hierarchy: Hierarchy) -> tuple[dict, dict[str, np.ndarray]]:
    """The header (JSON values) and the arrays, by name, that hold all of a hierarchy."""
    header = {"format": FORMAT, **{name: getattr(hierarchy, name) for name in _HEADER}}
    header["lambda_max"] = list(hierarchy.lambda_max)
    arrays = {name: getattr(hierarchy, name) for name in _SINGLE}
    for name, dtype in _MATRICES.items():
        for i, matrix in enumerate(getattr(hierarchy, name)):
            arrays |= _matrix_to_arrays(f"{name}_{i}", matrix, dtype)
    for name in _ARRAYS:
        arrays |= {f"{name}_{i}": array for i, array in enumerate(getattr(hierarchy, name))}
    if hierarchy.joint_laplacian is not None:
        arrays |= _matrix_to_arrays("joint_laplacian", hierarchy.joint_laplacian, np.float64)
    return header, arrays


def arrays_to_hierarchy(header: dict, arrays: dict[str, np.ndarray]) -> Hierarchy:
    """The inverse of `hierarchy_to_arrays`. Raises KeyError or ValueError where something is missing or misshapen."""
    levels = len(header["lambda_max"])
    fields: dict[str, Any] = {name: header[name] for name in _HEADER} | {name: arrays[name] for name in _SINGLE}
    fields["lambda_max"] = tuple(header["lambda_max"])
    for name in _MATRICES:
        count = levels if name == "laplacians" else levels - 1
        fields[name] = tuple(_arrays_to_matrix(f"{name}_{i}", arrays) for i in range(count))
    for name in _ARRAYS:
        is_stored = f"{name}_0" in arrays  # only `qem` has faces per level
        fields[name] = tuple(arrays[f"{name}_{i}"] for i in range(levels)) if is_stored else ()
    if "joint_laplacian_data" in arrays:
        fields["joint_laplacian"] = _arrays_to_matrix("joint_laplacian", arrays)
    return Hierarchy(**fields)


def content_digest(header: dict, arrays: dict[str, np.ndarray]) -> str:
    """sha256 of the values themselves: the same on every machine, however the file around them was compressed."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        little_endian = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        digest.update(f"{name} {array.dtype.kind}{array.itemsize} {list(array.shape)}".encode())
        digest.update(little_endian.tobytes())
    return digest.hexdigest()


def _matrix_to_arrays(name: str, matrix: sparse.csr_matrix, dtype: type) -> dict[str, np.ndarray]:
    """One compressed-row matrix as four arrays."""
    rows = sparse.csr_matrix(matrix, copy=True)
    rows.sum_duplicates()
    return {
        f"{name}_data": rows.data.astype(dtype),
        f"{name}_indices": rows.indices.astype(np.int32),
        f"{name}_indptr": rows.indptr.astype(np.int32),
        f"{name}_shape": np.array(rows.shape, np.int32),
    }


def _arrays_to_matrix(name: str, arrays: dict[str, np.ndarray]) -> sparse.csr_matrix:
    parts = (arrays[f"{name}_data"].astype(np.float64), arrays[f"{name}_indices"], arrays[f"{name}_indptr"])
    matrix = sparse.csr_matrix(parts, shape=tuple(arrays[f"{name}_shape"].tolist()))
    matrix.check_format(full_check=True)
    return matrix
