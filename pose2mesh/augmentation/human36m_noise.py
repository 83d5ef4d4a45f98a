"""Errors of a 2D pose estimator on Human3.6M, as Chang et al. measured and published them (AbsPoseLifter, 2019).

A joint's error is normal with a mean and a deviation for x and y, in pixels of a crop 256 wide, and is there with some
chance; otherwise the joint is exact. The crop is the person's box, widened to the network's 288:384.
"""

import torch
from torch import Generator, Tensor

from pose2mesh.skeletons import joint_set

_ASPECT = 288 / 384  # width : height of the crop
_CROP = 256.0
_STATISTICS = {  # mean x, mean y, deviation x, deviation y, chance
    "pelvis": (-0.06, -2.37, 1.33, 2.13, 1.00),
    "right_hip": (-0.83, -2.07, 3.41, 2.69, 1.00),
    "right_knee": (-0.04, -1.01, 1.74, 2.20, 0.95),
    "right_ankle": (0.52, -3.40, 1.39, 2.14, 0.93),
    "left_hip": (0.78, -2.79, 3.26, 2.28, 1.00),
    "left_knee": (0.42, -0.15, 1.53, 1.99, 0.94),
    "left_ankle": (-0.15, -3.78, 1.39, 2.39, 0.93),
    "torso": (-0.05, 0.10, 1.36, 1.74, 0.99),
    "neck": (0.14, -2.56, 1.18, 1.15, 0.99),
    "nose": (0.13, -0.26, 0.78, 0.59, 0.98),
    "head_top": (0.09, 0.49, 1.35, 0.87, 0.99),
    "left_shoulder": (-0.19, 0.31, 2.51, 1.48, 0.99),
    "left_elbow": (0.11, -0.60, 1.79, 1.76, 0.95),
    "left_wrist": (-0.02, 0.88, 2.02, 2.10, 0.91),
    "right_shoulder": (0.52, -0.12, 2.23, 1.73, 0.99),
    "right_elbow": (0.06, -0.44, 1.93, 1.63, 0.95),
    "right_wrist": (0.05, 0.16, 2.02, 2.24, 0.90),
}
_TABLE = torch.tensor([_STATISTICS[joint] for joint in joint_set("human36m17").joints])  # [17, 5]


def add_human36m_errors(points: Tensor, generator: Generator) -> Tensor:
    """Exact projections of human36m17 to what a detector reports. Shapes: points [B, 17, 2] px; returns the same."""
    batch = len(points)
    error = _TABLE[:, :2] + _TABLE[:, 2:4] * torch.randn(batch, 17, 2, generator=generator)  # px of the crop
    is_there = torch.rand(batch, 17, 1, generator=generator) < _TABLE[:, 4:]
    return points + is_there * error / _CROP * crop_size(points)[:, None]


def crop_size(points: Tensor) -> Tensor:
    """Width and height [B, 2] of the smallest 3:4 box around joints [B, J, 2]; the box counts pixels, so one less."""
    width, height = (points.amax(1) - points.amin(1) - 1).clamp(min=1).unbind(1)  # [B]
    height = torch.maximum(height, width / _ASPECT)
    return torch.stack([height * _ASPECT, height], 1)
