"""Cuts the Chebyshev polynomials of a graph into small dense blocks, one set for each tile of neighboring rows."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from pose2mesh.ops.sparse import SparseOperator

CHUNK = 32  # columns that go through shared memory at a time; tiles are padded to whole chunks


@dataclass(frozen=True)
class RingTiles:
    """What the tile-local kernel reads in place of a matrix. R counts the columns of all tiles, padding included."""

    tile: int  # rows of a tile
    rings: Tensor  # [R] int32 columns that each tile touches, those of T_1 first; padding repeats a column
    first_column: Tensor  # [tiles + 1] int32 where each tile begins in `rings`
    widths: Tensor  # [tiles, K − 1] int32 columns that T_1 … T_{K−1} touch, in whole chunks
    blocks: Tensor  # [(K − 1) · tile · R]: for each tile [K − 1, tile, its columns]


def ring_tiles(operator: SparseOperator, order: int, tile: int, dtype: torch.dtype) -> RingTiles:
    """The tiles of T_1 … T_{order−1} of a square operator, on its device; made once, with a copy to the CPU."""
    key = (RingTiles, order, tile, dtype, operator.values.device)
    if key not in operator.kernels:
        values, col, crow = (part.cpu().numpy() for part in (operator.values, operator.col, operator.crow))
        matrix = sp.csr_array((values.astype(np.float64), col, crow), shape=operator.shape)
        operator.kernels[key] = _cut(matrix, order, tile, dtype, operator.values.device)
    return operator.kernels[key]


def _cut(matrix: sp.csr_array, order: int, tile: int, dtype: torch.dtype, device: torch.device) -> RingTiles:
    polynomials = _polynomials(matrix, order)
    starts = range(0, matrix.shape[0], tile)  # pyright: ignore[reportOptionalSubscript]
    parts = [_cut_tile([p[start : start + tile] for p in polynomials], tile) for start in starts]
    rings, widths, blocks = zip(*parts, strict=True)
    bounds = np.cumsum([0, *map(len, rings)])
    return RingTiles(
        tile,
        torch.from_numpy(np.concatenate(rings).astype(np.int32)).to(device),
        torch.from_numpy(bounds.astype(np.int32)).to(device),
        torch.from_numpy(np.array(widths, np.int32).reshape(len(parts), order - 1)).to(device),
        torch.from_numpy(np.concatenate(blocks)).to(device, dtype),
    )


def _polynomials(matrix: sp.csr_array, order: int) -> list[sp.csr_array]:
    """T_1 … T_{order−1} of a matrix; the columns of each row include those of the one before."""
    identity = sp.eye_array(matrix.shape[0], format="csr")  # pyright: ignore[reportOptionalSubscript]
    terms = [identity, matrix]
    for _ in range(2, order):
        terms.append(sp.csr_array(2 * matrix @ terms[-1] - terms[-2]))
    return terms[1:order]


def _cut_tile(rows: list[sp.csr_array], tile: int) -> tuple[np.ndarray, list[int], np.ndarray]:
    """Columns [R], widths [K − 1] and blocks [(K − 1) · tile · R] of one tile, from its rows of each polynomial."""
    seen = [np.unique(np.concatenate([part.indices for part in rows[: k + 1]])) for k in range(len(rows))]
    columns = np.concatenate([*_new_ones(seen), np.empty(0, int)])
    widths = [_whole_chunks(len(part)) for part in seen]
    padded = np.zeros(_whole_chunks(len(columns)), np.int64)
    padded[: len(columns)] = columns
    place = np.argsort(columns)
    blocks = np.zeros((len(rows), tile, len(padded)), np.float32)
    for block, part in zip(blocks, rows, strict=True):
        entries = part.tocoo()
        block[entries.row, place[np.searchsorted(columns, entries.col, sorter=place)]] = entries.data
    return padded, widths, blocks.ravel()


def _new_ones(seen: list[np.ndarray]) -> list[np.ndarray]:
    """What each set has that the one before it has not."""
    return [np.setdiff1d(now, before) for before, now in zip([np.empty(0, int), *seen], seen, strict=False)]


def _whole_chunks(count: int) -> int:
    return -(-count // CHUNK) * CHUNK
