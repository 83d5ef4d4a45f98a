"""The compact PoseNet: a residual MLP that lifts a 2D pose (Martinez et al. 2017, with norms first)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from pose2mesh.networks.normalization import normalize_pose
from pose2mesh.networks.parameter_head import estimate_parameters, start_at_rest
from pose2mesh.networks.prediction import BodyParameters

_DEVIATION_WIDTH = 64
_SMALL = 3.0  # softplus(-3) is 0.05 m: where deviations start


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
    """2D keypoints with confidences to 3D joints and the features that the mesh network starts from.

    Optional heads on the features: `deviation` says how far each joint may be off, from features that it does not
    change; `body` gives rotations and shape of the body.
    """

    def __init__(
        self,
        joints_in: int,
        joints_out: int,
        width: int = 1024,
        blocks: int = 3,
        deviation: bool = False,
        rest: Tensor | None = None,
        num_shape: int = 0,
    ):
        """`rest` [R,6]: the rest pose of a body with `num_shape` shape coefficients, if its parameters are wanted."""
        super().__init__(joints_in, width, blocks)
        self.joints_out = joints_out
        self.deviation_scale = 1.0  # calibrated after training, in the settings of weights
        self.head = nn.Linear(width, 3 * joints_out)
        hidden = nn.Linear(width, _DEVIATION_WIDTH)
        self.deviation_head = (
            nn.Sequential(hidden, nn.GELU(), nn.Linear(_DEVIATION_WIDTH, joints_out)) if deviation else None
        )
        self.num_shape = num_shape
        self.parameter_head = None
        if rest is not None:
            self.parameter_head = nn.Linear(width, num_shape + rest.numel())
            start_at_rest(self.parameter_head, rest, num_shape)

    def forward(self, keypoints: Tensor) -> Lifted:
        """keypoints [B,J,3] (x, y, confidence) to Lifted."""
        features = self.features(keypoints)
        return Lifted(self.joints(features), features)

    def joints(self, features: Tensor) -> Tensor:
        """Features [B,C] to joints [B,J_out,3] m."""
        with torch.autocast(features.device.type, enabled=False):  # bfloat16 would round coordinates to 4 mm
            return self.head(features).unflatten(1, (self.joints_out, 3))

    def deviation(self, features: Tensor) -> Tensor | None:
        """Features [B,C] to the radius [B,J_out] m that holds the true joint in 68 of 100 cases."""
        if self.deviation_head is None:
            return None
        with torch.autocast(features.device.type, enabled=False):
            radius = nn.functional.softplus(self.deviation_head(features.detach().float()) - _SMALL)
            return self.deviation_scale * radius

    def body(self, features: Tensor) -> BodyParameters | None:
        """Features [B,C] to rotations and shape of the body."""
        return estimate_parameters(self.parameter_head, features, self.num_shape) if self.parameter_head else None
