"""A person who walks by a camera, written down as angles: motion whose truth is exact, without recordings.

The standing foot is flat and does not move along the ground; which foot stands is part of the truth.
"""

import math

import numpy as np
import torch
from torch import Tensor

from pose2mesh.augmentation.cameras import SMPL_TO_CAMERA
from pose2mesh.augmentation.figures import figure
from pose2mesh.augmentation.poses import world_rotmats
from pose2mesh.body_models import AnnyBody
from pose2mesh.body_models.reduced import ReducedBody
from pose2mesh.body_models.soles import sole_vertices
from pose2mesh.geometry.rotation import rotvec_to_rotmat
from pose2mesh.skeletons import COCO_ROWS, MOTION_BONES, joint_set
from pose2mesh.types import Camera, Motion

STEPS_HZ = 0.9  # strides of two steps a second
IMAGE_SIZE = (640, 480)
FOCAL = 700.0  # pixels
CAMERA_HEIGHT = 1.2  # metres above the ground
_JOINTS = joint_set("coco19")


def walking(
    body: AnnyBody,
    seconds: float = 3.0,
    fps: float = 30.0,
    heading_degrees: float = 60.0,
    betas: Tensor | None = None,
    start: tuple[float, float] = (-1.4, 5.2),
    track: int = 1,
) -> Motion:
    """One person on level ground, from `start` (x to the right, z away from the camera, metres).

    At 0 degrees the person walks towards the camera, at 90 to its right. Keypoints are exact projections of COCO-17.
    Shape: betas [S], by default the mean body.
    """
    time = np.arange(round(seconds * fps)) / fps  # [T]
    phase = torch.from_numpy(2 * np.pi * STEPS_HZ * time).float()
    turn = rotvec_to_rotmat(torch.tensor([0.0, math.radians(heading_degrees), 0.0]))
    rotations = SMPL_TO_CAMERA @ turn @ world_rotmats(gait(phase))  # [T, 19, 3, 3]
    betas = (torch.zeros(body.num_shape) if betas is None else betas).expand(len(time), -1)
    groups = body.expand_groups(rotations)
    shown = ReducedBody(body, np.zeros(0, np.int64), _JOINTS.name).joints(betas, groups).double().numpy()
    joints = shown - shown[:, [_JOINTS.index("pelvis")]]  # [T, 19, 3]
    soles = ReducedBody(body, sole_vertices(body).ravel(), _JOINTS.name).skin(betas, groups).double().numpy()
    soles = soles.reshape(-1, 2, 2, 3) - shown[:, [_JOINTS.index("pelvis")], None]  # [T, feet, heel and toes, 3]
    contacts = np.stack([np.sin(phase.numpy()) >= 0, np.sin(phase.numpy()) < 0], -1)  # [T, 2]
    translation = _without_sliding(soles, contacts) + np.array([start[0], 0.0, start[1]])
    translation[:, 1] = CAMERA_HEIGHT - soles[..., 1].max((1, 2))  # y down: the lowest point is on the ground
    camera = Camera(FOCAL, (IMAGE_SIZE[0] / 2, IMAGE_SIZE[1] / 2), np.zeros(3), IMAGE_SIZE)
    points = camera.project(joints[:, COCO_ROWS] + translation[:, None])  # [T, 17, 2]
    world = np.diag([1.0, -1.0, -1.0, 1.0])
    world[1, 3] = CAMERA_HEIGHT
    return Motion(
        frame=np.arange(len(time)),
        time=time,
        track=np.full(len(time), track),
        joints=joints.astype(np.float32),
        translation=translation,
        rotations=rotations.numpy(),
        betas=betas.numpy(),
        keypoints=np.concatenate([points, np.ones_like(points[..., :1])], -1).astype(np.float32),
        joint_names=_JOINTS.joints,
        bone_names=MOTION_BONES,
        fps=fps,
        camera=camera,
        world_from_camera=world,
        contacts=contacts,
    )


def gait(phase: Tensor) -> Tensor:
    """Relative rotation vectors [T, 19, 3], radians, at phases [T] of the stride; the left heel strikes at 0."""
    pose = figure("stand").repeat(len(phase), 1, 1)  # [T, 19, 3]
    for side, shift in (("L", 0.0), ("R", np.pi)):
        own = phase + shift
        hip = torch.deg2rad(-4 - 24 * own.cos())  # negative: thigh forward
        knee = torch.deg2rad(12 + 52 * (-own.sin()).clamp(min=0) ** 1.5)
        pose[:, MOTION_BONES.index(f"upperleg01.{side}"), 0] = hip
        pose[:, MOTION_BONES.index(f"lowerleg01.{side}"), 0] = knee
        pose[:, MOTION_BONES.index(f"foot.{side}"), 0] = -(hip + knee)  # level
        pose[:, MOTION_BONES.index(f"upperarm01.{side}"), 0] = torch.deg2rad(20 * own.cos())
    pose[:, MOTION_BONES.index("spine01"), 1] = torch.deg2rad(-6 * phase.cos())
    return pose


def _without_sliding(soles: np.ndarray, contacts: np.ndarray) -> np.ndarray:
    """Root positions [T, 3] that keep the standing foot of soles [T, 2, 2, 3] in place, from zero on."""
    middle = soles.mean(2)  # [T, 2, 3]
    steps = -np.diff(middle, axis=0)  # [T - 1, 2, 3]
    standing = contacts[1:].argmax(1)  # [T - 1]
    moved = np.take_along_axis(steps, standing[:, None, None], 1)[:, 0]  # [T - 1, 3]
    return np.concatenate([np.zeros((1, 3)), moved.cumsum(0)])
