"""2D poses as the compact networks see them: centered and scaled, aspect kept, missing joints marked."""

import torch
from torch import Tensor


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
