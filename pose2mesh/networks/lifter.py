"""The compact PoseNet: a normalized 2D pose to features by a residual MLP, and from these to 3D joints and parameters.

Martinez et al. 2017, with norms first; missing joints are marked, and the aspect ratio is kept.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from pose2mesh.geometry.rotation import rot6d_to_rotmat
from pose2mesh.networks.prediction import BodyParameters

_DEVIATION_WIDTH = 64
_SMALL = 3.0  # softplus(-3) is 0.05 m: where deviations start


def normalize_pose(keypoints: Tensor) -> Tensor:
    """Remove position and size from 2D poses.

    The mean of the visible joints goes to zero, their root-mean-square distance from it to one. Unlike the original's
    per-axis division by the deviation this keeps the aspect ratio, which tells a crouch from a stretch.

    Shapes: keypoints [B,J,3] (x, y in any unit, confidence; 0 = missing); returns [B,J,3] with zeros where missing.
    """
    points, confidence = keypoints[..., :2], keypoints[..., 2:]  # [B, J, 2], [B, J, 1]
    visible = (confidence > 0).to(points.dtype)
    count = visible.sum(1, keepdim=True).clamp(min=1)  # [B, 1, 1]
    points = torch.where(visible > 0, points, torch.zeros_like(points))
    centered = (points - points.sum(1, keepdim=True) / count) * visible
    scale = (centered.square().sum((1, 2), keepdim=True) / count).sqrt().clamp(min=1e-6)
    return torch.cat([centered / scale, confidence * visible], -1)


def start_at_rest(layers: nn.Module, rest6d: Tensor, num_shape: int) -> None:
    """Let fresh layers begin near the rest pose `rest6d` [R,6] of the mean body."""
    last = [module for module in layers.modules() if isinstance(module, nn.Linear)][-1]
    with torch.no_grad():
        last.weight.mul_(0.1)
        last.bias.copy_(torch.cat([torch.zeros(num_shape), rest6d.flatten()]))


def estimate_parameters(layers: nn.Module, features: Tensor, num_shape: int) -> BodyParameters:
    """Features [B,C] through layers that give S + 6R numbers to rotations [B,R,3,3] and shape [B,S]."""
    with torch.autocast(features.device.type, enabled=False):  # bfloat16 is too coarse for angles
        out = layers(features.float())  # [B, S + 6R]
        return BodyParameters(rot6d_to_rotmat(out[:, num_shape:].unflatten(1, (-1, 6))), out[:, :num_shape])


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
