"""The classic Pose2Mesh: PoseNet, then MeshNet on 2D and lifted 3D joints together (Choi et al. 2020)."""

import torch
from torch import Tensor, nn

from pose2mesh.networks.posenet import PoseNet
from pose2mesh.networks.prediction import MeshPrediction

_MM_PER_M = 1000
# What the mesh is made from, as columns of the normalized pose beside the lifted joints.
INPUTS = {"both": slice(0, 5), "2d": slice(0, 2), "3d": slice(2, 5)}


class ClassicPose2Mesh(nn.Module):
    """The paper's network; loads the published weights."""

    def __init__(self, posenet: PoseNet, meshnet: nn.Module, inputs: str = "both"):
        """`meshnet`: MeshNet, or another module from the `inputs` of joints [B, J, C] to vertices [B, V, 3] m."""
        super().__init__()
        self.pose_lifter = posenet  # named as in the published checkpoints
        self.pose2mesh, self.inputs = meshnet, INPUTS[inputs]

    def forward(self, keypoints: Tensor) -> MeshPrediction:
        """Joints as PoseNet lifts them and the mesh that goes with them, both root-relative.

        The mesh is made from the lifted joints without a gradient: PoseNet learns from its own loss alone.

        Shapes: keypoints [B, J, 2] or [B, J, 3], x and y in any unit; a confidence is not used.
        """
        pose = normalize_per_axis(keypoints[..., :2])  # [B, J, 2]
        joints = self._lift(pose)
        vertices = self.pose2mesh(torch.cat([pose, joints.detach()], dim=-1)[..., self.inputs])
        return MeshPrediction(vertices, joints)

    def lift(self, keypoints: Tensor) -> Tensor:
        """PoseNet alone: keypoints [B, J, 2] or [B, J, 3] to joints [B, J, 3] m."""
        return self._lift(normalize_per_axis(keypoints[..., :2]))

    def _lift(self, pose: Tensor) -> Tensor:
        return self.pose_lifter(pose) / _MM_PER_M  # [B, J, 3]


def normalize_per_axis(points: Tensor) -> Tensor:
    """Subtract the mean and divide by the population deviation, for x and y apart.

    An axis along which all points agree (to rounding) becomes zero.

    Shapes: points [..., J, 2]; returns [..., J, 2].
    """
    mean = points.mean(-2, keepdim=True)  # [..., 1, 2]
    deviation = points.std(-2, correction=0, keepdim=True)
    is_flat = deviation <= 1e-6 * mean.abs()
    scale = torch.where(is_flat, torch.ones_like(deviation), deviation)
    return torch.where(is_flat, torch.zeros_like(points), (points - mean) / scale)
