"""Meshes to pixels by the C++ kernels (raster.cpp): the bytes of the numpy form in `rendering.software`, sooner."""

import ctypes
from typing import Any

import numpy as np

from pose2mesh.ops.native import library

MOST_CHANNELS = 4  # that `interpolate` takes


def _structure(pointers: str, numbers: str, reals: str = "") -> type[ctypes.Structure]:
    kinds = ((pointers, ctypes.c_void_p), (numbers, ctypes.c_int64), (reals, ctypes.c_double))
    fields = [(name, kind) for names, kind in kinds for name in names.split()]
    return type("Arguments", (ctypes.Structure,), {"_fields_": fields})


_Mesh = _structure("vertices faces corners numbers is_back", "count width height is_closed", "focal x y near")
_Picture = _structure("corners nearest owner", "triangles width height")
_Values = _structure("corners values pixels owners out", "samples channels width", "sliver")


def triangles(
    vertices: np.ndarray, faces: np.ndarray, focal: float, center: tuple[float, float], size: tuple[int, int],
    is_closed: bool, near: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Numbers [F'], corners [F', 3, 3] (x, y, 1/z) and whether the inside is seen [F'], of faces that may be seen.

    Who calls has looked that faces name vertices: the kernel would read what lies beside them.
    """
    vertices, faces = np.ascontiguousarray(vertices, np.float64), np.ascontiguousarray(faces, np.int32)
    count = len(faces)
    corners, numbers, is_back = np.empty((count, 3, 3)), np.empty(count, np.int64), np.empty(count, bool)
    arrays = _addresses(vertices, faces, corners, numbers, is_back)
    kept = _call("raster_triangles", _Mesh(*arrays, count, *size, int(is_closed), focal, *center, near))
    return numbers[:kept], corners[:kept], is_back[:kept]


def visible(corners: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The nearest triangle of each pixel (-1: none) and its 1/z, [H W] each, of triangles [F, 3, 3] (x, y, 1/z)."""
    corners = np.ascontiguousarray(corners, np.float64)
    nearest, owner = np.zeros(size[0] * size[1]), np.full(size[0] * size[1], -1, np.int64)
    _call("raster_scan", _Picture(*_addresses(corners, nearest, owner), len(corners), *size))
    return owner, nearest


def interpolate(
    corners: np.ndarray, values: np.ndarray, pixels: np.ndarray, owners: np.ndarray, width: int, sliver: float
) -> np.ndarray:
    """Values uint8 [S, C] at pixels [S] of triangles `owners` [S] with corners [F, 3, 3] that have values [F, 3, C]."""
    corners, values = np.ascontiguousarray(corners, np.float64), np.ascontiguousarray(values, np.float64)
    pixels, owners = np.ascontiguousarray(pixels, np.int64), np.ascontiguousarray(owners, np.int64)
    out = np.empty((len(pixels), values.shape[2]), np.uint8)
    arrays = _addresses(corners, values, pixels, owners, out)
    _call("raster_interpolate", _Values(*arrays, *out.shape, width, sliver))
    return out


def is_available() -> bool:
    return library() is not None


def _addresses(*arrays: np.ndarray) -> tuple[int, ...]:
    return tuple(array.ctypes.data for array in arrays)


def _call(name: str, arguments: Any) -> int:
    loaded = library()
    assert loaded is not None  # whoever comes here has asked is_available()
    function = loaded[name]
    function.argtypes, function.restype = (ctypes.c_void_p,), ctypes.c_int64
    return function(ctypes.addressof(arguments))
