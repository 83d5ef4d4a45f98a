"""What networks are trained on, and what their answers are compared with."""

from typing import NamedTuple

import torch
from torch import Tensor


class Batch(NamedTuple):
    """Camera axes, metres, relative to the pelvis (mid hips) or the wrist."""

    keypoints: Tensor  # [B, J, 3] x, y in focal lengths and confidence, in the network's joint set
    joints: Tensor  # [B, J_out, 3] in the set that the network returns
    vertices: Tensor  # [B, n, 3] the body's chosen vertices
    rotations: Tensor  # [B, 19, 3, 3] world rotations of the captured bones, SMPL axes seen by the camera
    betas: Tensor  # [B, S]

    # The rest as in AnnotatedBatch: all is known of everybody, and the lifted joints are those of the mesh.
    lifted = property(lambda batch: batch.joints)
    lifted_valid = joints_valid = vertices_valid = None
    has_edges = True


class SequenceBatch(NamedTuple):
    """Camera axes, metres, relative to the pelvis."""

    keypoints: Tensor  # [B, T, J, 3] x, y in focal lengths and confidence, in the network's joint set
    times: Tensor  # [B, T] s
    present: Tensor  # [B, T] bool: recorded, and seen by the detector
    points: Tensor  # [B, T, J_out + n, 3] output joints, then points of the mesh
    rotations: Tensor  # [B, T, 19, 3, 3]
    betas: Tensor  # [B, S]


class AnnotatedBatch(NamedTuple):
    """People of annotated datasets; camera axes, metres. Invalid rows hold finite numbers that mean nothing."""

    keypoints: Tensor  # [B, J, 3] x, y in pixels and confidence, the network's set
    lifted: Tensor  # [B, J, 3] its 3D joints relative to their root
    lifted_valid: Tensor  # [B] bool
    joints: Tensor  # [B, J', 3] joints that the mesh is compared in, relative to their root
    joints_valid: Tensor  # [B] bool
    vertices: Tensor  # [B, V, 3] relative to the root of `joints`; V = 0 where a stage trains the lifter alone
    vertices_valid: Tensor  # [B] bool
    has_edges: Tensor = torch.tensor(True)  # [] bool, whether the edge loss counts yet
