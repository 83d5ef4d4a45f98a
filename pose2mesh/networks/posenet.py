"""The classic PoseNet: a residual MLP from 2D to 3D joints (Choi et al. 2020, after Martinez et al. 2017).

Module names follow the published checkpoints, so that their keys load as they are.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class ResidualStage(nn.Module):
    """x + W2 f(W1 f(x)) with f = dropout ∘ ReLU ∘ batch norm."""

    def __init__(self, width: int, dropout: float):
        super().__init__()
        self.dropout = dropout
        self.batch_norm1 = nn.BatchNorm1d(width)
        self.w1 = nn.Linear(width, width)
        self.batch_norm2 = nn.BatchNorm1d(width)
        self.w2 = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C] to [B, C]."""
        y = self.w1(self._activate(self.batch_norm1(x)))
        return x + self.w2(self._activate(self.batch_norm2(y)))

    def _activate(self, x: Tensor) -> Tensor:
        return functional.dropout(x.relu(), self.dropout, self.training)


class PoseNet(nn.Module):
    """Normalized 2D joints to root-relative 3D joints in millimetres, the unit of the published weights."""

    def __init__(self, joints: int, *, width: int = 4096, stages: int = 2, dropout: float = 0.5):
        super().__init__()
        self.joints = joints
        self.w1 = nn.Linear(2 * joints, width)
        # Not used, in the original neither, but its checkpoints hold it and strict loading expects it.
        self.batch_norm1 = nn.BatchNorm1d(width).requires_grad_(False)
        self.linear_stages = nn.ModuleList(ResidualStage(width, dropout) for _ in range(stages))
        self.w2 = nn.Linear(width, 3 * joints)

    def forward(self, pose: Tensor) -> Tensor:
        """Shapes: pose [B, J, 2], as `normalize_per_axis` returns it; returns [B, J, 3] mm."""
        x = self.w1(pose.flatten(1))  # [B, C]
        for stage in self.linear_stages:
            x = stage(x)
        with torch.autocast(x.device.type, enabled=False):  # bfloat16 would round coordinates to 4 mm
            return self.w2(x.to(self.w2.weight.dtype)).unflatten(1, (self.joints, 3))
