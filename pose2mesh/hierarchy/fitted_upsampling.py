"""Upsampling learned from sampled bodies: what a barycentric matrix rounds off, a fitted one puts back.

Barycentric weights cut corners: every fine vertex lies inside a coarse triangle, so elbows and noses shrink.
Weights fitted over many poses may leave the triangle and know how skin follows its neighbors.
"""

import numpy as np
from scipy import sparse

from pose2mesh.errors import InputError
from pose2mesh.hierarchy.adjacency import edge_lengths, nearest_on_surface
from pose2mesh.hierarchy.upsampling import with_exact_rows

_LARGEST_NORM = 1.5  # of a row: by how much independent errors of the coarse vertices may grow
_CHUNK = 256  # fine vertices whose equations are built at a time


def fit_upsampling(
    fine: np.ndarray, faces: np.ndarray, coarse_ids: np.ndarray, *, neighbors: int = 10, ridge: float = 1e-3
) -> sparse.csr_matrix:
    """Each fine vertex as the affine combination of nearby coarse vertices that fits the samples best.

    Per fine vertex, over its `neighbors` coarse vertices nearest along the mean surface:
    minimize mean |x − Σ wₖ yₖ|² + ridge² |w|² subject to Σ wₖ = 1. `ridge` (metres) is the error that each
    coarse vertex is expected to carry by itself: the sum is then the expected squared error per axis. Where
    the row's norm still exceeds 1.5, its ridge is raised until it does not. Coarse vertices map to
    themselves.

    Shapes: fine [S, V, 3] m, bodies of one topology; faces [F, 3]; coarse_ids [N] into V; returns [V, N].
    Raises InputError for wrong shapes, no sample or a ridge that is not positive.
    """
    if fine.ndim != 3 or fine.shape[2] != 3 or len(fine) == 0 or not ridge > 0 or neighbors < 1:
        raise InputError(
            f"need fine [S, V, 3] with S, ridge and neighbors positive; got {list(fine.shape)}, "
            f"ridge {ridge}, neighbors {neighbors}"
        )
    lengths = edge_lengths(fine.mean(axis=0, dtype=np.float64), faces)
    near = nearest_on_surface(lengths, coarse_ids, neighbors)[0]  # [V, k]; -1 where a component holds fewer
    by_vertex = fine.transpose(1, 0, 2).reshape(fine.shape[1], -1)  # [V, 3S]
    weights = np.zeros(near.shape)  # [V, k]
    rest = np.setdiff1d(np.arange(fine.shape[1]), coarse_ids)
    for start in range(0, len(rest), _CHUNK):
        rows = rest[start : start + _CHUNK]
        weights[rows] = _fit_rows(by_vertex, rows, coarse_ids[near[rows]], near[rows] >= 0, ridge)
    return with_exact_rows(np.maximum(near, 0), weights, coarse_ids)


def _fit_rows(
    by_vertex: np.ndarray, rows: np.ndarray, sources: np.ndarray, valid: np.ndarray, ridge: float
) -> np.ndarray:
    """Weights [R, k] of rows [R] over source vertices [R, k]."""
    # Differences to the nearest source: with weights that sum to one the translation drops out.
    anchor = by_vertex[sources[:, 0]].astype(np.float64)  # [R, 3S]
    target = by_vertex[rows] - anchor  # [R, 3S]
    offset = (by_vertex[sources] - anchor[:, None]) * valid[:, :, None]  # [R, k, 3S]
    gram = offset @ offset.transpose(0, 2, 1) / offset.shape[2]  # [R, k, k] mean over samples and axes
    moment = (offset @ target[:, :, None])[:, :, 0] / offset.shape[2]  # [R, k]
    strength = np.full(len(rows), ridge**2)  # [R]
    weights = _solve(gram, moment, valid, strength)
    while (large := np.linalg.norm(weights, axis=1) > _LARGEST_NORM).any():
        strength[large] *= 4.0  # ends: with a strong ridge the weights are equal, their norm below one
        weights[large] = _solve(gram[large], moment[large], valid[large], strength[large])
    return weights


def _solve(gram: np.ndarray, moment: np.ndarray, valid: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Minimize wᵀGw − 2mᵀw + strength |w|² with Σw = 1 over the valid entries; [R, k].

    With H = G + strength, w = H⁻¹(m + μ1); the multiplier μ makes the sum one.
    """
    one = valid.astype(np.float64)  # [R, k]
    regularized = gram + strength[:, None, None] * np.eye(gram.shape[1])  # [R, k, k]
    both = np.linalg.solve(regularized, np.stack([moment, one], axis=2)) * one[:, :, None]  # [R, k, 2]
    total, share = both[:, :, 0].sum(axis=1), both[:, :, 1].sum(axis=1)  # [R], [R]
    return both[:, :, 0] + ((1.0 - total) / share)[:, None] * both[:, :, 1]
