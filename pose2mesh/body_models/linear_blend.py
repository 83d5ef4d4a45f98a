"""Linear blend skinning of a body in SMPL's array layout; one code path for every body.

Written from the paper (Loper et al., SMPL, 2015) without pose blend shapes: Anny has none. A pose is a rotation per
bone relative to its parent; the rest pose is the identity. Bone heads are affine in the shape: SMPL's by its regressor
from the shaped vertices (eq. 10), Anny's as baked (its own heads are means over vertices that the mesh lacks).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh.body_models.joint_regressors import compose_regressor
from pose2mesh.kinds import Kind
from pose2mesh.skeletons import JointSet


class BodyOutput(NamedTuple):
    """Vertices [B,V,3] and bone heads [B,K,3] in metres, SMPL axes (y up, facing +z at rest)."""

    vertices: Tensor
    joints: Tensor


class LinearBlendBody(nn.Module):
    """A skinned body.

    Buffers: v_template [V,3], shapedirs [V,3,S], J_regressor [K,V], heads [K,3,1+S] (those of the template, then the
    directions), weights [V,K], parents [K], faces [F,3].
    """

    kind: Kind
    name: str  # as `load_body_model` takes it
    path: Path | None = None  # the user's file that it comes from, of bodies that are not free
    captured: tuple[str, ...] = ()  # bones whose world rotations make a pose by `expand_pose`; (): all make it together
    v_template: Tensor
    shapedirs: Tensor
    J_regressor: Tensor
    heads: Tensor
    weights: Tensor
    parents: Tensor
    faces: Tensor

    def __init__(
        self, arrays: dict[str, np.ndarray], bone_names: tuple[str, ...], keypoint_rows: dict[str, np.ndarray]
    ):
        """`arrays` holds the buffers by name; `keypoint_rows` maps a surface keypoint's name to weights [V].

        Without `heads` they are what J_regressor makes of template and directions, as in SMPL.
        """
        super().__init__()
        for name in ("v_template", "shapedirs", "J_regressor", "weights"):
            self.register_buffer(name, torch.as_tensor(np.asarray(arrays[name], np.float32)), persistent=False)
        self.register_buffer("parents", torch.as_tensor(np.asarray(arrays["parents"], np.int64)), persistent=False)
        self.register_buffer("faces", torch.as_tensor(np.asarray(arrays["faces"], np.int64)), persistent=False)
        heads = arrays["heads"] if "heads" in arrays else regressed_heads(arrays)
        self.register_buffer("heads", torch.as_tensor(np.asarray(heads, np.float32)), persistent=False)
        self.chain = tuple(self.parents.tolist())  # parents as plain numbers: a loop over them waits for no device
        self.bone_names = bone_names
        self.keypoint_rows = keypoint_rows

    @property
    def num_shape(self) -> int:
        return self.shapedirs.shape[-1]

    def joint_regressor(self, joint_set: str | JointSet) -> np.ndarray:
        """Weights [J,V] over the vertices for a joint set (rows sum to one)."""
        bone_rows = dict(zip(self.bone_names, self.J_regressor.cpu().numpy(), strict=True))
        return compose_regressor(joint_set, bone_rows, self.keypoint_rows)

    def rest(self, betas: Tensor) -> BodyOutput:
        """Shaped body in the rest pose: betas [B,S] to vertices [B,V,3] (eq. 8) and bone heads [B,K,3]."""
        vertices = self.v_template + torch.einsum("vis,bs->bvi", self.shapedirs, betas)
        heads = self.heads[..., 0] + torch.einsum("kis,bs->bki", self.heads[..., 1:], betas)
        return BodyOutput(vertices, heads)

    def forward(self, betas: Tensor, pose_rotmat: Tensor) -> BodyOutput:
        """Shape and pose to vertices.

        Shapes: betas [B,S]; pose_rotmat [B,K,3,3] relative to the parent bone; returns BodyOutput.
        """
        vertices, heads = self.rest(betas)
        transforms, joints = self.move_bones(heads, pose_rotmat)
        return BodyOutput(skin(vertices, self.weights, transforms), joints)

    def move_bones(self, heads: Tensor, pose_rotmat: Tensor) -> tuple[Tensor, Tensor]:
        """Transforms [B,K,3,4] from rest to the pose and bone heads [B,K,3] there, of heads [B,K,3] at rest."""
        rotations, joints = follow_chain(pose_rotmat, heads, self.chain)
        # G G(rest)^-1 (eq. 3) in its upper three rows: turn about the bone's head, then put the head in its place
        shift = joints - (rotations @ heads[..., None])[..., 0]  # [B, K, 3]
        return torch.cat([rotations, shift[..., None]], -1), joints


def follow_chain(rotmat: Tensor, heads: Tensor, chain: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """World rotations [B,K,3,3] and places [B,K,3] of bones, each its parent's transform times its own (eq. 4).

    Shapes: rotmat [B,K,3,3] relative to the parent; heads [B,K,3] at rest; chain [K], parents, -1 for a root and
    otherwise an earlier bone.
    """
    rotations: list[Tensor] = []
    places: list[Tensor] = []
    for bone, parent in enumerate(chain):
        if parent < 0:
            rotations.append(rotmat[:, bone])
            places.append(heads[:, bone])
            continue
        offset = (heads[:, bone] - heads[:, parent])[..., None]  # [B, 3, 1]
        rotations.append(rotations[parent] @ rotmat[:, bone])
        places.append(places[parent] + (rotations[parent] @ offset)[..., 0])
    return torch.stack(rotations, 1), torch.stack(places, 1)


def regressed_heads(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Bone heads [K,3,1+S] of a body whose regressor [K,V] finds them on the shaped vertices."""
    regressor = np.asarray(arrays["J_regressor"], np.float64)
    template = np.concatenate([arrays["v_template"][..., None], arrays["shapedirs"]], -1)  # [V, 3, 1+S]
    return np.tensordot(regressor, template, 1)


def skin(vertices: Tensor, weights: Tensor, transforms: Tensor) -> Tensor:
    """Blend bone transforms and apply them (eq. 2): [B,V,3], [V,K], [B,K,3,4] to [B,V,3]."""
    blended = torch.matmul(weights, transforms.flatten(2)).unflatten(-1, (3, 4))  # [B, V, 3, 4]
    return torch.einsum("bvij,bvj->bvi", blended[..., :3], vertices) + blended[..., 3]
