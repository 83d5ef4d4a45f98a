"""The compact PoseNet: a residual MLP that lifts a 2D pose (Martinez et al. 2017, with norms first)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from pose2mesh.networks.normalization import normalize_pose


class Lifted(NamedTuple):
    joints: Tensor  # [B, J_out, 3] metres, pelvis-relative, camera axes
    features: Tensor  # [B, C]


class ResidualBlock(nn.Module):
    """x + W2 gelu(W1 norm(x))."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, width)
        self.contract = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.contract(nn.functional.gelu(self.expand(self.norm(x))))


class PoseFeatures(nn.Module):
    """2D keypoints with confidences to features: a linear stem, residual blocks, a norm."""

    def __init__(self, joints_in: int, width: int = 1024, blocks: int = 3):
        super().__init__()
        self.width = width
        self.stem = nn.Linear(3 * joints_in, width)
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.norm = nn.LayerNorm(width)

    def features(self, keypoints: Tensor) -> Tensor:
        """keypoints [B,J,3] (x, y, confidence) to features [B,C]."""
        pose = normalize_pose(keypoints.float()).flatten(1)  # [B, 3J]
        return self.norm(self.blocks(self.stem(pose)).float())


class Lifter(PoseFeatures):
    """2D keypoints with confidences to 3D joints and the features that the mesh network starts from."""

    def __init__(self, joints_in: int, joints_out: int, width: int = 1024, blocks: int = 3):
        super().__init__(joints_in, width, blocks)
        self.joints_out = joints_out
        self.head = nn.Linear(width, 3 * joints_out)

    def forward(self, keypoints: Tensor) -> Lifted:
        """keypoints [B,J,3] (x, y, confidence) to Lifted."""
        features = self.features(keypoints)
        return Lifted(self.joints(features), features)

    def joints(self, features: Tensor) -> Tensor:
        """Features [B,C] to joints [B,J_out,3] m."""
        with torch.autocast(features.device.type, enabled=False):  # bfloat16 would round coordinates to 4 mm
            return self.head(features).unflatten(1, (self.joints_out, 3))
