"""Fit four skinning weights a vertex to the full ones, so that the largest error over many poses is small.

A vertex is a blend of the places p_b where each bone alone would put it. With weights w that sum to one its error is
Σ w_b d_b, d_b = p_b − y, y the full blend: a quadratic form in w. Every choice of up to four candidate bones is solved
in closed form and the best without negative weights is kept (a smaller choice covers the edge where a weight is zero).
Poses are then weighed by their error and it is solved again (Lawson 1961), which drives the largest error down.
"""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

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
_ROUNDS = 20
_RIDGE = 1e-6  # mm²: bones that move together are exchangeable
_CHUNK = 64  # vertices at a time


def bake_rig(path: Path, body: AnnyBody, rotations: Tensor, betas: Tensor, seed: int = 0) -> dict[str, float]:
    """Write the fitted weights; rotations [P,19,3,3] in the body's axes, betas [P,S]. Returns errors in mm."""
    transforms, rest = pose_bones(body, rotations, betas, FINGER_DEGREES, seed)
    weights = body.weights  # [V, K]
    vertices = torch.nonzero((weights > 0).sum(1) > COUNT)[:, 0]  # [n]
    bones, fitted = [], []
    for part in vertices.split(_CHUNK):
        chosen, values = _fit(body, part, transforms, rest)
        bones.append(chosen)
        fitted.append(values)
    arrays = {
        "vertices": vertices.numpy().astype(np.uint16),
        "bones": torch.cat(bones).numpy().astype(np.uint8),
        "weights": torch.cat(fitted).numpy().astype(np.float32),
    }
    write_arrays(path, arrays)
    result = heaviest(weights.numpy(), COUNT)
    result.bones[arrays["vertices"]], result.weights[arrays["vertices"]] = arrays["bones"], arrays["weights"]
    error = skinning_error(body, result, transforms, rest)  # [P, V]
    return {"mean_mm": error.mean().item(), "largest_mm": error.max().item()}


def pose_bones(
    body: AnnyBody, rotations: Tensor, betas: Tensor, finger_degrees: float = 0.0, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Skinning transforms [P,K,3,4] and rest vertices [P,V,3] m, fingers and toes turned at random on top."""
    pose = body.expand_pose(rotations)  # [P, K, 3, 3]
    free = torch.tensor([name.startswith(("finger", "metacarpal", "toe")) for name in body.bone_names])
    noise = torch.randn(*pose.shape[:2], 3, generator=torch.Generator().manual_seed(seed))
    pose = pose @ rotvec_to_rotmat(noise * free[:, None] * np.deg2rad(finger_degrees))
    rest = body.rest(betas)
    return body.move_bones(rest.joints, pose)[0], rest.vertices


def skinning_error(body: AnnyBody, weights: SkinWeights, transforms: Tensor, rest: Tensor) -> Tensor:
    """Distance [P,V] in mm between vertices under these weights and under the body's own."""
    change = torch.as_tensor(weights.dense(len(body.parents)), dtype=rest.dtype) - body.weights  # [V, K]
    blended = (change @ transforms.flatten(2)).unflatten(-1, (3, 4))  # [P, V, 3, 4]
    return 1000 * ((blended[..., :3] @ rest[..., None])[..., 0] + blended[..., 3]).norm(dim=-1)


def _fit(body: AnnyBody, vertices: Tensor, transforms: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
    """Bones [n,4] and weights [n,4] of the vertices [n]."""
    candidates = torch.tensor([_candidates(body, vertex) for vertex in vertices.tolist()])  # [n, C]
    alone = transforms[:, candidates]  # [P, n, C, 3, 4]
    places = torch.einsum("pncij,pnj->pnci", alone[..., :3], rest[:, vertices]) + alone[..., 3]
    blended = (body.weights[vertices] @ transforms.flatten(2)).unflatten(-1, (3, 4))  # [P, n, 3, 4]
    true = torch.einsum("pnij,pnj->pni", blended[..., :3], rest[:, vertices]) + blended[..., 3]
    offsets = (1000 * (places - true[:, :, None])).double()  # [P, n, C, 3] mm
    importance = torch.ones(offsets.shape[:2], dtype=torch.float64)  # [P, n]
    lowest = torch.full((len(vertices),), torch.inf, dtype=torch.float64)  # [n] largest error so far
    best = torch.zeros(len(vertices), candidates.shape[1], dtype=torch.float64)  # [n, C]
    for _ in range(_ROUNDS):
        moments = torch.einsum("pn,pnci,pndi->ncd", importance / importance.sum(0), offsets, offsets)
        weights = _best_choice(moments)  # [n, C]
        error = torch.einsum("pnci,nc->pni", offsets, weights).norm(dim=-1)  # [P, n]
        largest = error.amax(0)
        best = torch.where((largest < lowest)[:, None], weights, best)
        lowest = torch.minimum(lowest, largest)
        importance = importance * (error / error.mean(0).clamp(min=1e-9)).clamp(min=0.01)
    values, order = best.topk(COUNT, 1)
    return candidates.gather(1, order), values / values.sum(1, keepdim=True)


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


def _choices(candidates: int) -> Iterator[Tensor]:
    for size in range(1, COUNT + 1):
        yield torch.tensor(list(combinations(range(candidates), size)))
