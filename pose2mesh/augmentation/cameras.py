"""Virtual cameras: where a body stands in front of a pinhole.

Only the view and the distance matter: the focal length and the picture size scale all points alike, and networks
see normalized poses. Pixels here are units of the focal length.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Generator, Tensor

from pose2mesh.augmentation.ranges import STRICT, Fraction, NotNegative, Positive
from pose2mesh.geometry.rotation import rotvec_to_rotmat

# SMPL axes (y up, facing +z) to the camera frame (y down, z forward) of a camera in front of the subject.
SMPL_TO_CAMERA = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
NEAREST = 0.2  # metres before the camera: what is nearer is seen as if it were there


@dataclass(frozen=True)
class CameraRange:
    """Cameras aimed at the pelvis. Distances in metres, deviations of the angles in degrees; the heading is uniform."""

    __pydantic_config__: ClassVar = STRICT

    distance: tuple[Positive, Positive] = (2.5, 8.0)
    pitch_degrees: NotNegative = 12.0
    roll_degrees: NotNegative = 4.0
    is_uniform: bool = False  # pitch and roll up to these angles, evenly, instead of normally distributed

    def views(self, count: int, generator: Generator) -> "View":
        """Random views of bodies."""
        yaw = 2 * torch.pi * torch.rand(count, generator=generator)
        pitch, roll = (
            torch.deg2rad(degrees * _spread(count, self.is_uniform, generator))
            for degrees in (self.pitch_degrees, self.roll_degrees)
        )
        distance = _uniform(count, self.distance, generator)
        rotation = _about(2, roll) @ _about(0, pitch) @ SMPL_TO_CAMERA @ _about(1, yaw)
        return View(rotation, distance[:, None] * torch.eye(3)[2])


@dataclass(frozen=True)
class PhotoCameras:
    """Cameras as people hold them: at the height of eyes or of a waist, near or far, some tilted, steep or close.

    Lengths in metres from the pelvis. The optical axis meets the body at `aim`, so that a close camera looks at the
    chest or the face and sees the legs, if at all, under their true perspective.
    """

    __pydantic_config__: ClassVar = STRICT

    distance: tuple[Positive, Positive] = (2.0, 8.0)  # level, even in its logarithm
    height: tuple[float, float] = (-0.1, 1.0)  # of the lens: 1.0 to 1.9 m over the floor before people who stand or sit
    aim: tuple[float, float] = (-0.15, 0.35)
    aside: NotNegative = 0.08  # deviation of the body from the middle of the picture, in focal lengths
    close: Fraction = 0.2  # share of close cameras
    close_distance: tuple[Positive, Positive] = (0.7, 2.0)
    close_height: tuple[float, float] = (0.0, 0.8)
    close_aim: tuple[float, float] = (0.1, 0.55)
    steep: Fraction = 0.1  # share that looks from above or below
    steep_degrees: tuple[float, float] = (-35.0, 65.0)
    facing: Fraction = 0.35  # share of people who face the camera; the others' headings are uniform
    facing_degrees: NotNegative = 40.0  # deviation of their headings
    roll_degrees: NotNegative = 2.5  # deviation
    tilted: Fraction = 0.1  # share of tilted ones
    tilt_degrees: NotNegative = 15.0  # up to this

    def views(self, count: int, generator: Generator) -> "View":
        """Random views of bodies."""

        def choose(share: float, special: Tensor, usual: Tensor) -> Tensor:
            return torch.where(torch.rand(count, generator=generator) < share, special, usual)

        def uniform(limits: tuple[float, float]) -> Tensor:
            return _uniform(count, limits, generator)

        is_close = torch.rand(count, generator=generator) < self.close
        near, far = (
            torch.exp(uniform((math.log(low), math.log(high)))) for low, high in (self.close_distance, self.distance)
        )
        level = torch.where(is_close, near, far)
        aim = torch.where(is_close, uniform(self.close_aim), uniform(self.aim))
        height = torch.where(is_close, uniform(self.close_height), uniform(self.height))
        pitch = choose(self.steep, torch.deg2rad(uniform(self.steep_degrees)), torch.atan2(height - aim, level))
        roll = self.roll_degrees * torch.randn(count, generator=generator)
        roll = torch.deg2rad(choose(self.tilted, uniform((-self.tilt_degrees, self.tilt_degrees)), roll))
        faced = torch.deg2rad(self.facing_degrees * torch.randn(count, generator=generator))
        yaw = choose(self.facing, faced, uniform((0, 2 * torch.pi)))
        aside = self.aside * level * torch.randn(count, generator=generator).clamp(-2, 2)
        held = _about(2, roll) @ _about(0, pitch) @ SMPL_TO_CAMERA  # of a body that faces the camera
        zero = torch.zeros(count)
        # from the point that the axis meets to the pelvis, and from the lens to that point
        below = (held @ torch.stack([aside, -aim, zero], -1)[..., None])[..., 0]  # [B, 3]
        ahead = torch.stack([zero, zero, level / pitch.cos()], -1)
        return View(held @ _about(1, yaw), below + ahead)


class View(NamedTuple):
    rotation: Tensor  # [B, 3, 3] SMPL axes to camera axes
    translation: Tensor  # [B, 3] metres, of the pelvis before the camera

    @property
    def distance(self) -> Tensor:
        """[B] metres along the optical axis."""
        return self.translation[:, 2]


def project(points: Tensor, place: Tensor) -> Tensor:
    """Pelvis-relative camera-frame points [B,J,3] m to the picture [B,J,2], in focal lengths.

    `place` is the pelvis before the camera [B,3] m, or its distance [B] straight ahead.
    """
    if place.ndim == 1:
        place = place[:, None] * torch.eye(3)[2].to(place)
    seen = points + place[:, None]
    return seen[..., :2] / seen[..., 2:].clamp(min=NEAREST)


def _uniform(count: int, limits: tuple[float, float], generator: Generator) -> Tensor:
    low, high = limits
    return low + (high - low) * torch.rand(count, generator=generator)


def _spread(count: int, is_uniform: bool, generator: Generator) -> Tensor:
    """[count] of U(-1, 1), or of N(0, 1)."""
    return 2 * torch.rand(count, generator=generator) - 1 if is_uniform else torch.randn(count, generator=generator)


def _about(axis: int, angle: Tensor) -> Tensor:
    """Rotations [B,3,3] about a coordinate axis."""
    return rotvec_to_rotmat(torch.eye(3)[axis] * angle[:, None])
