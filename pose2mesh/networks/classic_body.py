"""The classic network behind the interface of the compact one: detections with missing joints in, faces beside it."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh.errors import InputError
from pose2mesh.networks.abilities import Abilities
from pose2mesh.networks.pose2mesh import ClassicPose2Mesh
from pose2mesh.networks.posenet import PoseNet
from pose2mesh.networks.prediction import MeshPrediction


class ClassicBody(nn.Module):
    """ClassicPose2Mesh for one mesh topology."""

    abilities = Abilities(needs_all_joints=True)
    joint_regressor: Tensor

    def __init__(
        self,
        network: ClassicPose2Mesh,
        *,
        faces: np.ndarray,
        joint_set: str,
        output_joint_names: tuple[str, ...],
        joint_regressor: np.ndarray | None = None,
    ):
        """`joint_regressor` [J,V] gives the joints of a mesh, for the joint loss; not needed but for training."""
        super().__init__()
        self.network = network
        self.faces, self.joint_set, self.output_joint_names = faces, joint_set, output_joint_names
        if joint_regressor is not None:
            regressor = torch.as_tensor(joint_regressor, dtype=torch.float32)
            self.register_buffer("joint_regressor", regressor, persistent=False)

    def forward(self, keypoints: Tensor) -> MeshPrediction:
        """keypoints [B,J,3] (x, y in any unit, confidence) to MeshPrediction in metres."""
        return self.network(fill_missing(keypoints))

    def lift(self, keypoints: Tensor) -> Tensor:
        """Only the joints: keypoints [B,J,3] to [B,J,3] m, for training PoseNet by itself."""
        return self.network.lift(fill_missing(keypoints))

    def objective(self, stage: Any, data: Any) -> nn.Module:
        """The loss of a stage of training, as `CompactPose2Mesh.objective`. Raises InputError for a frozen lifter."""
        from pose2mesh.losses.classic import ClassicObjective  # training alone pays for its import

        if stage.frozen_lifter:
            raise InputError(f"stage {stage.name}: frozen_lifter is for the compact network")
        return ClassicObjective(self, stage.loss, data.faces, data.joint_regressor, stage.lifting_only)


class ClassicLifter(nn.Module):
    """PoseNet alone, as the first stage of training leaves it. Its weights fit the lifter of a ClassicBody."""

    abilities = Abilities(needs_all_joints=True, gives_mesh=False)

    def __init__(self, posenet: PoseNet, joint_set: str):
        super().__init__()
        self.network = ClassicPose2Mesh(posenet, nn.Identity())  # for the names of its weights; there is no mesh
        self.joint_set = joint_set

    def lift(self, keypoints: Tensor) -> Tensor:
        """keypoints [B,J,3] (x, y in any unit, confidence) to joints [B,J,3] m relative to their root."""
        return self.network.lift(fill_missing(keypoints))


def fill_missing(keypoints: Tensor) -> Tensor:
    """Put joints of confidence 0 at the mean of the visible ones: the classic network cannot leave a joint out.

    Shapes: keypoints [B,J,3]; returns [B,J,2].
    """
    visible = (keypoints[..., 2:] > 0).to(keypoints.dtype)  # [B, J, 1]
    points = torch.where(visible > 0, keypoints[..., :2], torch.zeros_like(keypoints[..., :2]))
    mean = points.sum(1, keepdim=True) / visible.sum(1, keepdim=True).clamp(min=1)
    return torch.where(visible > 0, points, mean)
