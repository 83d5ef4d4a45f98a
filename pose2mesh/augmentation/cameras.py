"""Virtual cameras: where a body stands in front of a pinhole that is aimed at its pelvis.

Only the view and the distance matter: the focal length and the picture size scale all points alike, and networks
see normalized poses. Pixels here are units of the focal length.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Generator, Tensor

from pose2mesh.augmentation.ranges import STRICT, NotNegative, Positive
from pose2mesh.geometry.rotation import rotvec_to_rotmat

# SMPL axes (y up, facing +z) to the camera frame (y down, z forward) of a camera in front of the subject.
SMPL_TO_CAMERA = torch.diag(torch.tensor([1.0, -1.0, -1.0]))


@dataclass(frozen=True)
class CameraRange:
    """Distances in metres, deviations of the angles in degrees; the heading is uniform."""

    __pydantic_config__: ClassVar = STRICT

    distance: tuple[Positive, Positive] = (2.5, 8.0)
    pitch_degrees: NotNegative = 12.0
    roll_degrees: NotNegative = 4.0
    is_uniform: bool = False  # pitch and roll up to these angles, evenly, instead of normally distributed


class View(NamedTuple):
    rotation: Tensor  # [B, 3, 3] SMPL axes to camera axes
    distance: Tensor  # [B] metres from the camera to the pelvis


def sample_views(count: int, cameras: CameraRange, generator: Generator) -> View:
    """Random views of standing bodies."""
    yaw = 2 * torch.pi * torch.rand(count, generator=generator)
    pitch, roll = (
        torch.deg2rad(degrees * _spread(count, cameras.is_uniform, generator))
        for degrees in (cameras.pitch_degrees, cameras.roll_degrees)
    )
    low, high = cameras.distance
    distance = low + (high - low) * torch.rand(count, generator=generator)
    rotation = _about(2, roll) @ _about(0, pitch) @ SMPL_TO_CAMERA @ _about(1, yaw)
    return View(rotation, distance)


def project(points: Tensor, distance: Tensor) -> Tensor:
    """Pelvis-relative camera-frame points [B,J,3] m to the picture [B,J,2], in focal lengths."""
    return points[..., :2] / (points[..., 2:] + distance[:, None, None]).clamp(min=0.2)


def _spread(count: int, is_uniform: bool, generator: Generator) -> Tensor:
    """[count] of U(-1, 1), or of N(0, 1)."""
    return 2 * torch.rand(count, generator=generator) - 1 if is_uniform else torch.randn(count, generator=generator)


def _about(axis: int, angle: Tensor) -> Tensor:
    """Rotations [B,3,3] about a coordinate axis."""
    return rotvec_to_rotmat(torch.eye(3)[axis] * angle[:, None])
