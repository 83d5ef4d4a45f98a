"""Fit four skinning weights a vertex to the full ones, so that the largest error over many poses is small.

A vertex is a blend of the places p_b where each bone alone would put it. With weights w that sum to one its error is
Σ w_b d_b, d_b = p_b − y, y the full blend: a quadratic form in w. Every choice of up to four candidate bones is solved
in closed form and the best without negative weights is kept (a smaller choice covers the edge where a weight is zero).
Poses are then weighed by their error and it is solved again (Lawson 1961), which drives the largest error down. The
vertices that are worst then are fitted once more to the poses that are worst for them, choice by choice.
"""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.body_models.rig_weights import SkinWeights, heaviest
from pose2mesh.geometry.rotation import rotvec_to_rotmat
from pose2mesh.npz import write_arrays

COUNT = 4
MOST_CANDIDATES = 12  # the heaviest of a vertex's bones, their parents and children
FINGER_DEGREES = 15.0  # fingers and toes copy their parent in recordings; without own motion they would be lost
MOVED = 0.6  # weight of errors in poses whose joints were moved more than recorded
FIRST = 1000  # poses of each kind that all vertices are fitted to
HARDEST = 700  # poses of each kind that the worst vertices are fitted to
REFIT_MM = 1.5  # largest error from which a vertex is one of the worst
CHOICES = 4  # of bones that are tried by themselves, by the cost with and without the weights of the poses
_ROUNDS = 20
_RIDGE = 1e-6  # mm²: bones that move together are exchangeable
_CHUNK = 64  # vertices, or poses, at a time


class Posed(NamedTuple):
    """A body in poses."""

    transforms: Tensor  # [P, K, 3, 4] of the bones
    rest: Tensor  # [P, V, 3] m

    def select(self, rows: Tensor) -> "Posed":
        return Posed(self.transforms[rows], self.rest[rows])


def bake_rig(path: Path, body: AnnyBody, recorded: Posed, moved: Posed) -> dict[str, float]:
    """Write the weights fitted to recorded poses, and less firmly to those with moved joints. Returns errors in mm."""
    result = heaviest(body.weights.numpy(), COUNT)
    more = torch.nonzero((body.weights > 0).sum(1) > COUNT)[:, 0]  # [n] vertices
    first = slice(0, FIRST)
    _fit_into(result, body, more, recorded.select(first), moved.select(first), choices=0)
    return refit(path, body, result, recorded, moved)


def refit(path: Path, body: AnnyBody, result: SkinWeights, recorded: Posed, moved: Posed) -> dict[str, float]:
    """Fit the worst vertices of a result to the poses that are worst for them, and write all. Returns errors in mm."""
    errors = [skinning_error(body, result, *posed) for posed in (recorded, moved)]  # [P, V]
    worst = torch.nonzero(torch.stack([error.amax(0) for error in errors]).amax(0) > REFIT_MM)[:, 0]
    hardest = [error.amax(1).topk(min(HARDEST, len(error))).indices for error in errors]
    some = [posed.select(rows) for posed, rows in zip((recorded, moved), hardest, strict=True)]
    _fit_into(result, body, worst, some[0], some[1], CHOICES)
    more = np.flatnonzero((body.weights.numpy() > 0).sum(1) > COUNT)
    arrays = {
        "vertices": more.astype(np.uint16),
        "bones": result.bones[more].astype(np.uint8),
        "weights": result.weights[more].astype(np.float32),
    }
    write_arrays(path, arrays)
    told = {}
    for name, posed in (("recorded", recorded), ("moved", moved)):
        error = skinning_error(body, result, *posed)
        told |= {f"{name}_mean_mm": error.mean().item(), f"{name}_largest_mm": error.max().item()}
    return told


def _fit_into(
    result: SkinWeights, body: AnnyBody, vertices: Tensor, recorded: Posed, moved: Posed, choices: int
) -> None:
    """Fit vertices [n] and write them into a result."""
    for part in vertices.split(_CHUNK):
        candidates = torch.tensor([_candidates(body, vertex) for vertex in part.tolist()])  # [n, C]
        offsets = [_offsets(body, part, candidates, posed) for posed in (recorded, moved)]
        offsets = torch.cat([offsets[0], MOVED * offsets[1]])  # [P, n, C, 3] mm
        weights, largest, importance = _minimax(offsets)
        for choice in _cheapest(offsets, importance, choices):  # [n, 4] candidates
            own, by_itself, _ = _minimax(offsets.gather(2, choice[None, :, :, None].expand(len(offsets), -1, -1, 3)))
            better = by_itself < largest
            weights[better] = torch.zeros_like(weights).scatter_(1, choice, own)[better]
            largest = torch.minimum(largest, by_itself)
        values, order = weights.topk(COUNT, 1)
        result.bones[part.numpy()] = candidates.gather(1, order).numpy()
        result.weights[part.numpy()] = (values / values.sum(1, keepdim=True)).numpy()


def pose_bones(body: AnnyBody, rotations: Tensor, betas: Tensor, finger_degrees: float = 0.0, seed: int = 0) -> Posed:
    """Poses [P,19,3,3] in the body's axes of shapes [P,S], fingers and toes turned at random on top."""
    pose = body.expand_pose(rotations)  # [P, K, 3, 3]
    free = torch.tensor([name.startswith(("finger", "metacarpal", "toe")) for name in body.bone_names])
    noise = torch.randn(*pose.shape[:2], 3, generator=torch.Generator().manual_seed(seed))
    pose = pose @ rotvec_to_rotmat(noise * free[:, None] * np.deg2rad(finger_degrees))
    rest = body.rest(betas)
    return Posed(body.move_bones(rest.joints, pose)[0], rest.vertices)


def skinning_error(body: AnnyBody, weights: SkinWeights, transforms: Tensor, rest: Tensor) -> Tensor:
    """Distance [P,V] in mm between vertices under these weights and under the body's own."""
    change = torch.as_tensor(weights.dense(len(body.parents)), dtype=rest.dtype) - body.weights  # [V, K]
    rows = torch.nonzero(change.abs().sum(1))[:, 0]  # [n] of vertices that differ at all
    errors = torch.zeros(rest.shape[:2])
    for some in torch.arange(len(rest)).split(_CHUNK):
        blended = (change[rows] @ transforms[some].flatten(2)).unflatten(-1, (3, 4))  # [p, n, 3, 4]
        moved = (blended[..., :3] @ rest[some][:, rows, :, None])[..., 0] + blended[..., 3]
        errors[some[:, None], rows] = 1000 * moved.norm(dim=-1)
    return errors


def _offsets(body: AnnyBody, vertices: Tensor, candidates: Tensor, posed: Posed) -> Tensor:
    """How far each candidate bone [n,C] alone would put the vertices [n] from where they are: [P,n,C,3] mm."""
    rest = posed.rest[:, vertices]  # [P, n, 3]
    alone = posed.transforms[:, candidates]  # [P, n, C, 3, 4]
    places = torch.einsum("pncij,pnj->pnci", alone[..., :3], rest) + alone[..., 3]
    blended = (body.weights[vertices] @ posed.transforms.flatten(2)).unflatten(-1, (3, 4))  # [P, n, 3, 4]
    true = torch.einsum("pnij,pnj->pni", blended[..., :3], rest) + blended[..., 3]
    return 1000 * (places - true[:, :, None])


def _minimax(offsets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Weights [n,C] with a small largest error [n] over offsets [P,n,C,3], and the poses' last importance [P,n]."""
    importance = torch.ones(offsets.shape[:2])
    lowest = torch.full((offsets.shape[1],), torch.inf)
    best = torch.zeros(offsets.shape[1:3])
    for _ in range(_ROUNDS):
        weights = _best_choice(_moments(offsets, importance)).float()
        error = torch.einsum("pnci,nc->pni", offsets, weights).norm(dim=-1)  # [P, n]
        largest = error.amax(0)
        best = torch.where((largest < lowest)[:, None], weights, best)
        lowest = torch.minimum(lowest, largest)
        importance = importance * (error / error.mean(0).clamp(min=1e-9)).clamp(min=0.01)
    return best, lowest, importance


def _moments(offsets: Tensor, importance: Tensor) -> Tensor:
    """Mean products [n,C,C] of offsets [P,n,C,3] under the poses' importance [P,n]."""
    return torch.einsum("pn,pnci,pndi->ncd", importance / importance.sum(0), offsets, offsets).double()


def _cheapest(offsets: Tensor, importance: Tensor, count: int) -> list[Tensor]:
    """Choices of four candidates [n,4] with the least cost: `count` by the importance of the poses, as many without."""
    if not count:
        return []
    (choices,) = (c for c in _choices(offsets.shape[2]) if c.shape[1] == COUNT)  # [M, 4]
    found = []
    for weights in (importance, torch.ones_like(importance)):
        cost, _ = _cost(_moments(offsets, weights), choices)
        found += [choices[column] for column in cost.topk(count, 1, largest=False).indices.T]
    return found


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
        cost, weights = _cost(moments, choices)
        value, chosen = cost.min(1)
        full = torch.zeros_like(best).scatter_(1, choices[chosen], weights[rows, chosen])
        best = torch.where((value < lowest)[:, None], full, best)
        lowest = torch.minimum(lowest, value)
    return best


def _cost(moments: Tensor, choices: Tensor) -> tuple[Tensor, Tensor]:
    """Costs [n,M], infinite with negative weights, and weights [n,M,size] of choices [M,size] of candidates."""
    size = choices.shape[1]
    system = moments[:, choices[:, :, None], choices[:, None, :]] + _RIDGE * torch.eye(size, dtype=moments.dtype)
    weights = torch.linalg.solve(system, torch.ones(size, 1, dtype=moments.dtype))[..., 0]  # [n, M, size]
    weights = weights / weights.sum(-1, keepdim=True)
    cost = torch.einsum("nma,nmab,nmb->nm", weights, system, weights)
    return torch.where((weights >= 0).all(-1), cost, torch.inf), weights


def _choices(candidates: int) -> Iterator[Tensor]:
    for size in range(1, COUNT + 1):
        yield torch.tensor(list(combinations(range(candidates), size)))
