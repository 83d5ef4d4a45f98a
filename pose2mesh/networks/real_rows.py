"""The rows of a padded binary tree of graphs that count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


def rows_to_keep(level_operators: Sequence[csr_matrix], inverse: np.ndarray) -> list[np.ndarray]:
    """Per level, coarse to fine, the rows [N_i'] that the output depends on, in their order.

    A fake node has no neighbors and no vertex, so nothing that it holds is ever seen. What has neighbors is kept, with
    all its ancestors, whatever it is.

    Shapes: level_operators [N_i, N_i], coarse to fine, N_i = 2 N_{i-1}; inverse [V] row of each vertex in the finest.
    """
    needed = np.zeros(level_operators[-1].shape[0], bool)  # pyright: ignore[reportOptionalSubscript]
    needed[inverse] = True
    kept = []
    for operator in reversed(level_operators):
        edges = operator.tocoo()
        is_edge = (edges.row != edges.col) & (edges.data != 0)
        needed[edges.row[is_edge]] = True  # pyright: ignore[reportIndexIssue]
        kept.insert(0, np.flatnonzero(needed))
        needed = needed.reshape(-1, 2).any(1) if len(kept) < len(level_operators) else needed
    return kept
