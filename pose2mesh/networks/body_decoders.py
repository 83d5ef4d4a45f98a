"""Body parameters to joints and vertices, root-relative in camera axes, for every body through one interface."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.body_models.linear_blend import LinearBlendBody
from pose2mesh.body_models.reduced import ReducedBody
from pose2mesh.errors import InputError
from pose2mesh.networks.prediction import BodyParameters, BodyPrediction
from pose2mesh.skeletons import MOTION_BONES, joint_set

# y up to y down: the first two columns of diag(1, -1, -1), an upright body in front of the camera
UPRIGHT_6D = (1.0, 0, 0, 0, -1, 0)
IDENTITY_6D = (1.0, 0, 0, 0, 1, 0)


class BodyDecoder(nn.Module, ABC):
    """What turns parameters into a body; `rest6d` [R, 6] is its rest pose, upright before the camera."""

    is_fitted = False  # whether `fitting` knows how its bones turn
    rest6d: Tensor
    num_shape: int
    faces: np.ndarray  # [F, 3]
    bone_names: tuple[str, ...]  # [R]
    body: Any

    def __init__(self, body: LinearBlendBody, output_joints: str):
        super().__init__()
        self.register_buffer("rest6d", self.rest_of(body), persistent=False)
        self.body, self.num_shape, self.faces = body, body.num_shape, body.faces.numpy()
        self.bone_names = body.captured or body.bone_names
        self.joint_set = joint_set(output_joints)
        assert self.joint_set.root is not None  # output sets are chosen by `build`, all have one
        self.root = self.joint_set.index(self.joint_set.root)

    @staticmethod
    def rest_of(body: LinearBlendBody) -> Tensor:
        """The rest pose [R, 6] of a body: the root upright, the other joints not turned against their parents."""
        return torch.tensor([UPRIGHT_6D] + [IDENTITY_6D] * (len(body.parents) - 1))

    @abstractmethod
    def joints(self, parameters: BodyParameters) -> Tensor:
        """Joints [B,J,3] m, root-relative."""

    def of_vertices(self, vertex_ids: np.ndarray) -> "BodyDecoder":
        """The same of some vertices alone, for training on samples. Raises InputError where there are none."""
        raise InputError(
            "network.body: the parameter network is trained on anny-body; take published weights for others"
        )

    @abstractmethod
    def forward(self, parameters: BodyParameters) -> BodyPrediction:
        """The whole mesh and its joints."""


class AnnyDecoder(BodyDecoder):
    """World rotations of the 19 captured bones and 16 shape components; joints cost no vertices."""

    is_fitted = True

    def __init__(self, body: AnnyBody, vertex_ids: np.ndarray | None = None):
        """`vertex_ids`: the vertices to decode, by default all."""
        super().__init__(body, "coco19")
        ids = np.arange(len(body.v_template)) if vertex_ids is None else vertex_ids
        self.reduced = ReducedBody(body, ids, self.joint_set.name)

    @staticmethod
    def rest_of(body: LinearBlendBody) -> Tensor:
        """World rotations: every captured bone upright."""
        return torch.tensor([UPRIGHT_6D] * len(MOTION_BONES))

    def of_vertices(self, vertex_ids: np.ndarray) -> "AnnyDecoder":
        """The same of some vertices alone."""
        return AnnyDecoder(self.body, vertex_ids)

    def joints(self, parameters: BodyParameters) -> Tensor:
        """Joints [B,19,3] m of COCO-19, relative to the pelvis."""
        joints = self.reduced.joints(parameters.betas, self.body.expand_groups(parameters.rotations))
        return joints - joints[:, self.root, None]

    def forward(self, parameters: BodyParameters) -> BodyPrediction:
        groups = self.body.expand_groups(parameters.rotations)
        joints = self.reduced.joints(parameters.betas, groups)
        pelvis = joints[:, self.root, None]
        return BodyPrediction(self.reduced.skin(parameters.betas, groups) - pelvis, joints - pelvis, parameters)


class SkinnedDecoder(BodyDecoder):
    """SMPL and MANO: rotations of all joints against their parents, ten shape components."""

    regressor: Tensor  # [J, V]

    def __init__(self, body: LinearBlendBody, output_joints: str = ""):
        """`output_joints`: a set of joints, by default that of the body's kind."""
        output_joints = output_joints or body.kind.output_set
        super().__init__(body, output_joints)
        rows = torch.as_tensor(body.joint_regressor(output_joints), dtype=torch.float32)
        self.register_buffer("regressor", rows, persistent=False)

    def joints(self, parameters: BodyParameters) -> Tensor:
        """Joints [B,J,3] m of the output set, relative to its root."""
        return self.forward(parameters).joints

    def forward(self, parameters: BodyParameters) -> BodyPrediction:
        vertices = self.body(parameters.betas, parameters.rotations).vertices  # [B, V, 3]
        joints = self.regressor @ vertices
        root = joints[:, self.root, None]
        return BodyPrediction(vertices - root, joints - root, parameters)
