"""Operators as the C++ kernels see them: cut into tiles of rows, each with the neighbors that it needs (tiles.h)."""

import ctypes
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from pose2mesh.ops.sparse import SparseOperator
from pose2mesh.ops.upsampling import Upsampling

_ROWS = 160  # of a tile, about, as measured: fewer have relatively more neighbors, more leave the nearest caches
_POINTER, _INT = ctypes.c_void_p, ctypes.c_int64


class Matrix(ctypes.Structure):
    """A matrix in compressed rows."""

    _fields_ = (("begin", _POINTER), ("column", _POINTER), ("value", _POINTER))


class Tiles(ctypes.Structure):
    """A symmetric operator [N, N] in tiles, and where the values of a coarser graph go in it."""

    _fields_ = (
        *((name, _INT) for name in ("nodes", "coarse", "count", "widest")),
        ("matrix", Matrix),
        ("first", Matrix),
        *((name, _POINTER) for name in ("parent", "start", "begin", "rows", "local_column")),
    )
    keep: list[Tensor]  # whose memory this points to

    @classmethod
    def of(cls, operator: SparseOperator, upsampling: Upsampling | None, dtype: torch.dtype) -> "Tiles":
        """Those of an operator, made once; they last as long as its buffers stay where they are."""
        key = (dtype, upsampling)
        if key not in operator.kernels:
            operator.kernels[key] = cls._make(operator, upsampling, dtype)
        return operator.kernels[key]

    @classmethod
    def _make(cls, operator: SparseOperator, upsampling: Upsampling | None, dtype: torch.dtype) -> "Tiles":
        parents = np.arange(operator.shape[0]) if upsampling is None else upsampling.parents.numpy()
        start = _starts(parents)
        begin, rows, local_column = _cut(operator.crow.numpy(), operator.col.numpy(), start)
        tiles = cls(nodes=operator.shape[0], count=len(start) - 1, widest=int(np.diff(begin).max()))
        tiles.keep = []
        tiles.matrix = tiles._matrix(operator.crow, operator.col, operator.values.to(dtype))
        for name, array in (("start", start), ("begin", begin), ("rows", rows), ("local_column", local_column)):
            setattr(tiles, name, tiles._address(torch.from_numpy(array.astype(np.int32))))
        if upsampling is not None:
            tiles.coarse = upsampling.coarse_nodes
            crow, col, values = upsampling.through(operator)
            tiles.first = tiles._matrix(crow, col, values.to(dtype))
            tiles.parent = tiles._address(upsampling.parents.to(torch.int32))
        return tiles

    def _matrix(self, *tensors: Tensor) -> Matrix:
        return Matrix(*map(self._address, tensors))

    def _address(self, tensor: Tensor) -> int:
        self.keep.append(tensor)
        return tensor.data_ptr()


def _starts(parents: np.ndarray) -> np.ndarray:
    """First rows of all tiles, and the number of rows; children of one parent stay together."""
    nodes = len(parents)
    count = 1 if nodes < 2 * _ROWS else 2 * round(nodes / (2 * _ROWS))  # even, so that two threads have the same work
    starts = np.linspace(0, nodes, count + 1).astype(np.int64)
    return np.unique(np.append(np.searchsorted(parents, parents[starts[:-1]]), nodes))


def _cut(crow: np.ndarray, col: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each tile begins in the rows, the rows of all tiles (own, then ring), and each entry's place in them."""
    begin, rows, local = [0], [], np.zeros(len(col), np.int64)
    place = np.zeros(start[-1], np.int64)
    for first, end in pairwise(start):
        entries = slice(crow[first], crow[end])
        own = np.arange(first, end)
        tile = np.concatenate([own, np.setdiff1d(col[entries], own)])
        place[tile] = np.arange(len(tile))
        local[entries] = place[col[entries]]
        rows.append(tile)
        begin.append(begin[-1] + len(tile))
    return np.array(begin), np.concatenate(rows), local
