"""The default network: keypoints to joints and the full mesh, any of the mesh heads behind one lifter."""

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh.networks.lifter import Lifter
from pose2mesh.networks.prediction import MeshPrediction
from pose2mesh.ops import SparseOperator


class CompactPose2Mesh(nn.Module):
    """Lifter, mesh head and the fixed sparse map to the full mesh.

    `mesh_head(features)` returns a list of vertex sets, coarse to fine; the last one is the finest the network
    computes, [B,N,3] m, pelvis-relative.
    """

    joint_regressor: Tensor

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
    ):
        """`to_full`: sparse [V,N] from the finest vertices to the full mesh; `joint_regressor` [J_out,V]."""
        super().__init__()
        self.lifter, self.mesh_head = lifter, mesh_head
        self.to_full = SparseOperator.from_scipy(to_full)
        self.faces, self.joint_set, self.output_joint_names = faces, joint_set, output_joint_names
        finest_regressor = torch.as_tensor(np.asarray(to_full.T @ joint_regressor.T).T, dtype=torch.float32)
        self.register_buffer("joint_regressor", finest_regressor.contiguous(), persistent=False)  # [J_out, N]

    def regress_joints(self, finest: Tensor) -> Tensor:
        """Joints [B,J_out,3] m of the finest vertices [B,N,3]: those of the full mesh, without computing it."""
        return self.joint_regressor @ finest.float()

    def forward(self, keypoints: Tensor) -> MeshPrediction:
        """Plain network call: keypoints [B,J,3] (x, y in any unit, confidence) to MeshPrediction in metres."""
        lifted = self.lifter(keypoints)
        finest = self.mesh_head(lifted.features)[-1].float()
        return MeshPrediction(self.to_full.matmul(finest), lifted.joints)
