"""The default network: keypoints to joints and the full mesh, any of the mesh heads behind one lifter."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh.losses.targets import Batch
from pose2mesh.networks.abilities import Abilities
from pose2mesh.networks.lifter import Lifted, Lifter
from pose2mesh.networks.prediction import MeshPrediction, UncertainPrediction
from pose2mesh.ops import SparseOperator
from pose2mesh.skeletons import joint_set as find_joint_set
from pose2mesh.skeletons import mirror_name


class CompactPose2Mesh(nn.Module):
    """Lifter, mesh head and the fixed sparse map to the full mesh.

    `mesh_head(features)` returns a list of vertex sets, coarse to fine; the last one is the finest the network
    computes, [B,N,3] m, pelvis-relative.
    """

    joint_regressor: Tensor
    flip_in: Tensor  # [J] mirror partner of each input joint
    flip_out: Tensor  # [J_out] and of each output joint
    mirror_signs: Tensor  # [3]

    def __init__(
        self,
        lifter: Lifter,
        mesh_head: nn.Module,
        to_full,
        *,
        faces: np.ndarray,
        joint_set: str,
        output_joint_names: tuple[str, ...],
        joint_regressor: np.ndarray,
        body: str = "anny-body",
    ):
        """`to_full`: sparse [V,N] from the finest vertices to the full mesh; `joint_regressor` [J_out,V]; `body`: name
        of what has the mesh.
        """
        super().__init__()
        self.body = body
        self.lifter, self.mesh_head = lifter, mesh_head
        self.to_full = SparseOperator.from_scipy(to_full)
        self.faces, self.joint_set, self.output_joint_names = faces, joint_set, output_joint_names
        names = find_joint_set(joint_set).joints, output_joint_names
        for buffer, joints in zip(("flip_in", "flip_out"), names, strict=True):
            partners = torch.tensor([joints.index(mirror_name(joint)) for joint in joints])
            self.register_buffer(buffer, partners, persistent=False)
        self.register_buffer("mirror_signs", torch.tensor([-1.0, 1.0, 1.0]), persistent=False)
        finest_regressor = torch.as_tensor(np.asarray(to_full.T @ joint_regressor.T).T, dtype=torch.float32)
        self.register_buffer("joint_regressor", finest_regressor.contiguous(), persistent=False)  # [J_out, N]

    @property
    def abilities(self) -> Abilities:
        has_heads = self.lifter.parameter_head is not None
        return Abilities(
            body=self.body if has_heads else "",
            fitted_set="body32" if has_heads else "",
            is_uncertain=has_heads,
            spares_mesh=True,
            adapted="vertices",
        )

    def regress_joints(self, finest: Tensor) -> Tensor:
        """Joints [B,J_out,3] m of the finest vertices [B,N,3]: those of the full mesh, without computing it."""
        return self.joint_regressor @ finest.float()

    def forward(self, keypoints: Tensor) -> MeshPrediction | UncertainPrediction:
        """Plain network call: keypoints [B,J,3] (x, y in any unit, confidence) to a prediction in metres.

        The joints are the mean of the pose and its mirror image, lifted together: at batch 1 the lifter's time is that
        of reading its weights, so the second view is nearly free (0.4 mm clean, 0.7 mm noisy on the validation motion).
        """
        joints, features = self._lift(keypoints)
        return self._answer(self.to_full.matmul(self.mesh_head(features)[-1].float()), joints, features)

    def without_mesh(self, keypoints: Tensor) -> MeshPrediction | UncertainPrediction:
        """The same with vertices [B,0,3]; in a ninth of the time for 64 people, in two fifths for one."""
        joints, features = self._lift(keypoints)
        return self._answer(joints[:, :0], joints, features)

    def _answer(self, vertices: Tensor, joints: Tensor, features: Tensor) -> MeshPrediction | UncertainPrediction:
        deviation, parameters = self.lifter.deviation(features), self.lifter.body(features)
        if deviation is None or parameters is None:
            return MeshPrediction(vertices, joints)
        return UncertainPrediction(vertices, joints, deviation, parameters)

    def _lift(self, keypoints: Tensor) -> Lifted:
        """The joints of a pose and its mirror image, and the pose's features."""
        batch = keypoints.shape[0]
        lifted = self.lifter(torch.cat([keypoints, self._mirror(keypoints, self.flip_in)]))  # [2B, ...]
        joints = (lifted.joints[:batch] + self._mirror(lifted.joints[batch:], self.flip_out)) / 2
        return Lifted(joints, lifted.features[:batch])

    def as_lifted(self, batch: Batch) -> Batch:
        """Training samples in the frame of the lifter's answers."""
        return batch

    def objective(self, stage: Any, data: Any) -> nn.Module:
        """The loss of a stage of training (`training.config.StageConfig`) on its samples (`training.stage_data`)."""
        from pose2mesh.losses.compact import CompactObjective  # training alone pays for its import

        self.lifter.requires_grad_(not stage.frozen_lifter)
        return CompactObjective(self, stage.loss, data.rows, data.faces, stage.lifting_only)

    def _mirror(self, points: Tensor, permutation: Tensor) -> Tensor:
        """Left-right mirror image of joints [B,J,3]: x negated, partners exchanged."""
        return points.index_select(1, permutation) * self.mirror_signs


class CompactMesh(CompactPose2Mesh):
    """The same for any mesh, whose mirror image may be another thing: no second view of the joints."""

    def _lift(self, keypoints: Tensor) -> Lifted:
        return self.lifter(keypoints)
