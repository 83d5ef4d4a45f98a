"""Fit four skinning weights a vertex to the full ones, so that the largest error over many poses is small.

A vertex is a blend of the places p_b where each bone alone would put it. With weights w that sum to one its error is
Σ w_b d_b, d_b = p_b − y, y the full blend: a quadratic form in w. Every choice of up to four candidate bones is solved
in closed form and the best without negative weights is kept (a smaller choice covers the edge where a weight is zero).
Poses are then weighed by their error and it is solved again (Lawson 1961), which drives the largest error down. Where
the vertex is at rest may move as well, a linear problem in turn with the weights.
"""

from functools import cache
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor

from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.body_models.linear_blend import skin
from pose2mesh.body_models.rig_weights import SkinWeights

COUNT = 4
MOST_CANDIDATES = 12  # the heaviest of a vertex's bones, their parents and children
_ROUNDS, _ROUNDS_MOVING = 20, 60
_RIDGE = 1e-6  # mm²: bones that move together are exchangeable
_CHUNK = 64  # vertices at a time


class FittedVertices(NamedTuple):
    """What n vertices hang on, and by how much they are moved at rest."""

    bones: Tensor  # [n, 4]
    weights: Tensor  # [n, 4], not negative, each row sums to one
    shift: Tensor  # [n, 3] metres


def vertices_with_more(body: AnnyBody) -> Tensor:
    """Vertices [n] of more than four bones: the others are exact."""
    return torch.nonzero((body.weights > 0).sum(1) > COUNT)[:, 0]


def skinning_error(
    body: AnnyBody,
    weights: SkinWeights,
    transforms: Tensor,
    rest: Tensor,
    vertices: Tensor | None = None,
    moved: Tensor | None = None,
) -> Tensor:
    """Distance [P,n] in mm between vertices under these weights and under the body's own.

    Shapes: transforms [P,K,3,4] from rest to the poses, rest [P,V,3] metres, vertices [n] (default: all). `moved`
    [P,V,3]: where these weights have the vertices at rest, if not there.
    """
    vertices = torch.arange(rest.shape[1]) if vertices is None else vertices
    dense = SkinWeights(*(part[vertices.numpy()] for part in weights)).dense(len(body.parents))  # [n, K]
    moved = rest if moved is None else moved
    fewer = skin(moved[:, vertices], torch.as_tensor(dense, dtype=rest.dtype), transforms)
    return 1000 * (fewer - skin(rest[:, vertices], body.weights[vertices], transforms)).norm(dim=-1)


def fit_vertices(
    body: AnnyBody,
    vertices: Tensor,
    transforms: Tensor,
    rest: Tensor,
    scale: Tensor | None = None,
    moves_rest: bool = False,
) -> FittedVertices:
    """Four weights for each of the vertices [n]; `scale` [P] multiplies the errors of each pose.

    `moves_rest` moves the vertices at rest as well: let the rest pose be one of the poses then, so that it counts.
    Shapes as for `skinning_error`.
    """
    scale = torch.ones(len(transforms)) if scale is None else scale
    parts = [_fit(body, part, transforms, rest, scale, moves_rest) for part in vertices.split(_CHUNK)]
    return FittedVertices(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))


def _fit(
    body: AnnyBody, vertices: Tensor, transforms: Tensor, rest: Tensor, scale: Tensor, moves_rest: bool
) -> FittedVertices:
    candidates = torch.tensor([_candidates(body, vertex) for vertex in vertices.tolist()])  # [n, C]
    alone = transforms[:, candidates]  # [P, n, C, 3, 4]
    places = torch.einsum("pncij,pnj->pnci", alone[..., :3], rest[:, vertices]) + alone[..., 3]
    true = skin(rest[:, vertices], body.weights[vertices], transforms)  # [P, n, 3]
    offsets = (1000 * (places - true[:, :, None])).double() * scale[:, None, None, None]  # [P, n, C, 3] mm
    turns = alone[..., :3].double() * scale[:, None, None, None, None] if moves_rest else None  # [P, n, C, 3, 3]
    importance = torch.ones(offsets.shape[:2], dtype=torch.float64)  # [P, n]
    lowest = torch.full((len(vertices),), torch.inf, dtype=torch.float64)  # [n] largest error so far
    best = torch.zeros(len(vertices), candidates.shape[1], dtype=torch.float64)  # [n, C]
    shift = best_shift = torch.zeros(len(vertices), 3, dtype=torch.float64)  # [n, 3] mm
    moved = offsets
    for _ in range(_ROUNDS_MOVING if moves_rest else _ROUNDS):
        share = importance / importance.sum(0)
        weights = _best_choice(torch.einsum("pn,pnci,pndi->ncd", share, moved, moved))  # [n, C]
        if turns is not None:
            shift = _best_shift(share, offsets, turns, weights)
            moved = offsets + torch.einsum("pncij,nj->pnci", turns, shift)
        error = torch.einsum("pnci,nc->pni", moved, weights).norm(dim=-1)  # [P, n]
        largest = error.amax(0)
        is_better = (largest < lowest)[:, None]
        best, best_shift = torch.where(is_better, weights, best), torch.where(is_better, shift, best_shift)
        lowest = torch.minimum(lowest, largest)
        importance = importance * (error / error.mean(0).clamp(min=1e-9)).clamp(min=0.01)
    values, order = best.topk(COUNT, 1)
    return FittedVertices(candidates.gather(1, order), values / values.sum(1, keepdim=True), best_shift / 1000)


def _best_shift(share: Tensor, offsets: Tensor, turns: Tensor, weights: Tensor) -> Tensor:
    """Where vertices [n,3] best move at rest, in mm, under weights [n,C]: least squares over the poses."""
    turn = torch.einsum("pncij,nc->pnij", turns, weights)
    error = torch.einsum("pnci,nc->pni", offsets, weights)
    normal = torch.einsum("pn,pnij,pnik->njk", share, turn, turn)
    return -torch.linalg.solve(normal, torch.einsum("pn,pnij,pni->nj", share, turn, error)[..., None])[..., 0]


def _candidates(body: AnnyBody, vertex: int) -> list[int]:
    """Bones of a vertex, then their neighbors in the tree, heaviest first; bones without weight fill up the list."""
    own = body.weights[vertex]
    parents = body.parents.tolist()
    near = {bone for bone in range(len(parents)) if own[bone] > 0}
    near |= {parents[bone] for bone in near if parents[bone] >= 0} | {b for b, p in enumerate(parents) if p in near}
    ranked = sorted(range(len(parents)), key=lambda bone: (-float(own[bone]), bone not in near, bone))
    return ranked[:MOST_CANDIDATES]


def _best_choice(moments: Tensor) -> Tensor:
    """Weights [n,C] of at most four bones that minimize wᵀ M w, moments [n,C,C], with Σ w = 1 and w ≥ 0."""
    rows = torch.arange(len(moments))
    lowest = torch.full((len(moments),), torch.inf, dtype=moments.dtype)
    best = torch.zeros(moments.shape[:2], dtype=moments.dtype)
    for choices in _choices(moments.shape[1]):  # [M, size]
        size = choices.shape[1]
        system = moments[:, choices[:, :, None], choices[:, None, :]] + _RIDGE * torch.eye(size, dtype=moments.dtype)
        weights = torch.linalg.solve(system, torch.ones(size, 1, dtype=moments.dtype))[..., 0]  # [n, M, size]
        weights = weights / weights.sum(-1, keepdim=True)
        cost = torch.einsum("nma,nmab,nmb->nm", weights, system, weights)
        cost = torch.where((weights >= 0).all(-1), cost, torch.inf)
        value, chosen = cost.min(1)
        full = torch.zeros_like(best).scatter_(1, choices[chosen], weights[rows, chosen])
        best = torch.where((value < lowest)[:, None], full, best)
        lowest = torch.minimum(lowest, value)
    return best


@cache
def _choices(candidates: int) -> tuple[Tensor, ...]:
    return tuple(torch.tensor(list(combinations(range(candidates), size))) for size in range(1, COUNT + 1))
