"""Points of the skinned body as sums of rotated levers: p = sum over groups of R_g a_g(shape), from the root's head on.

One matrix product gives chosen points of many frames of one shape.
"""

import numpy as np
import torch
from torch import Tensor

from pose2mesh.body_models.reduced import ReducedBody


def point_levers(reduced: ReducedBody, mesh_points: np.ndarray) -> Tensor:
    """[P,G,3,1+S] of the reduced body's joints, then of some of its vertices."""
    weights = reduced.weights[mesh_points]  # [n, G]
    own = weights[..., None, None] * (reduced.vertices[mesh_points][:, None] - reduced.heads)
    levers, share = torch.cat([reduced.lever, own]), torch.cat([reduced.share, weights])  # [P, G, 3, 1+S], [P, G]
    onward = (share @ reduced.chain)[..., None, None] * reduced.offsets  # [P, G, 3, 1+S], turned by the parent
    return levers.index_add(1, reduced.parents, onward * reduced.has_parent)


def points_over_time(levers: Tensor, betas: Tensor, groups: Tensor) -> Tensor:
    """Points [B,T,P,3] m of levers [P,G,3,1+S], shapes [B,S] and world rotations of the groups [B,T,G,3,3]."""
    shape = torch.cat([torch.ones_like(betas[:, :1]), betas], 1)
    bones = torch.einsum("pgis,bs->bgip", levers, shape).flatten(1, 2)  # [B, 3G, P]
    turned = groups.transpose(2, 3).flatten(3).flatten(1, 2) @ bones  # [B, 3T, P]
    return turned.unflatten(1, (-1, 3)).transpose(2, 3)
