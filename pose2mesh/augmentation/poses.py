"""New body poses from few recorded ones: recombined limbs, interpolation, joint-wise sampling, perturbation.

The training pack holds only some 2,900 distinct poses, so a network that sees them alone learns the performers. All
operations work on rotations relative to the parent bone, where parts of different poses fit together.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Generator, Tensor

from pose2mesh.augmentation.ranges import STRICT, Fraction, NotNegative
from pose2mesh.geometry.chains import relative_rotations, world_rotations
from pose2mesh.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from pose2mesh.skeletons import MIRROR_BONES, MOTION_BONES, MOTION_PARENTS

_PARTS = {  # bones that always travel together when limbs are recombined
    "trunk": (1, 2, 3, 4), "left_arm": (5, 6, 7, 8), "right_arm": (12, 13, 14, 15),
    "left_leg": (9, 10, 11), "right_leg": (16, 17, 18),
}  # fmt: skip
LEGS = (*_PARTS["left_leg"], *_PARTS["right_leg"])
UNRECORDED = ((5, 12), (8, 15))  # clavicles and wrists: their own motion is not in the recordings
# Largest rotation against the parent, radians: the limits that cleaned the packs, tightened for the trunk.
_LIMIT_DEGREES = {
    "spine03": 75, "spine01": 55, "neck01": 60, "head": 70, "clavicle": 35, "upperarm01": 165, "lowerarm01": 155,
    "wrist": 100, "upperleg01": 145, "lowerleg01": 155, "foot": 75,
}  # fmt: skip
_LIMITS = torch.deg2rad(torch.tensor([torch.inf, *(float(_LIMIT_DEGREES[b.split(".")[0]]) for b in MOTION_BONES[1:])]))


@dataclass(frozen=True)
class PoseAugmentation:
    """Chances of each way to make a pose; the rest are poses as recorded."""

    __pydantic_config__: ClassVar = STRICT

    mirror: Fraction = 0.5  # of the poses drawn from the pool, left and right exchanged
    recombine_limbs: Fraction = 0.4  # each limb from its own pose
    swap_halves: Fraction = 0.1  # trunk and arms from one pose, legs from another
    mix_joints: Fraction = 0.1  # every joint from its own pose: all that the joints can do
    interpolate: Fraction = 0.2  # a point between (or a little beyond) two poses
    perturb: Fraction = 0.6  # random rotations added to every joint
    perturb_degrees: NotNegative = 18.0  # largest deviation of that noise
    tumble: Fraction = 0.1  # root in any orientation instead of the recorded tilt
    clavicle_degrees: NotNegative = 6.0  # recorded clavicles and wrists do not move by themselves
    wrist_degrees: NotNegative = 15.0


def relative_rotvecs(world_rotvec: np.ndarray) -> Tensor:
    """Recorded poses [N,19,3] (Anny axes, world) to rotations against the parent [N,19,3] (SMPL axes, no heading)."""
    x, y, z = torch.as_tensor(world_rotvec, dtype=torch.float64).unbind(-1)
    world = rotvec_to_rotmat(torch.stack([x, z, -y], -1))  # [N, 19, 3, 3]
    root = world[:, 0]
    heading = torch.atan2(root[:, 0, 2] - root[:, 2, 0], root[:, 0, 0] + root[:, 2, 2])  # twist about y, [N]
    turn = rotvec_to_rotmat(heading[:, None] * -torch.tensor([0.0, 1.0, 0.0], dtype=world.dtype))
    world = turn[:, None] @ world
    return rotmat_to_rotvec(relative_rotations(world, MOTION_PARENTS)).float()


def mirror(rotvec: Tensor) -> Tensor:
    """Left-right mirror of relative rotation vectors [..., 19, 3] (SMPL axes)."""
    return rotvec[..., MIRROR_BONES, :] * torch.tensor([1.0, -1.0, -1.0])


def world_rotmats(relative_rotvec: Tensor) -> Tensor:
    """Relative rotation vectors [B,19,3] to world rotations [B,19,3,3]."""
    return world_rotations(rotvec_to_rotmat(relative_rotvec), MOTION_PARENTS)


def clamp_to_limits(relative_rotvec: Tensor) -> Tensor:
    """Shorten rotation vectors [...,19,3] beyond the joint's limit; the root is free."""
    angle = relative_rotvec.norm(dim=-1, keepdim=True)  # [..., 19, 1]
    return relative_rotvec * (_LIMITS[:, None] / angle.clamp(min=1e-6)).clamp(max=1.0)


def sample_poses(pool: Tensor, count: int, recipe: PoseAugmentation, generator: Generator) -> Tensor:
    """Draw `count` poses [B,19,3] (relative rotation vectors) from a pool [N,19,3]."""

    def chance(probability: float) -> Tensor:
        return (torch.rand(count, generator=generator) < probability)[:, None, None]

    def draw() -> Tensor:
        picked = pool[torch.randint(len(pool), (count,), generator=generator)]
        return torch.where(chance(recipe.mirror), mirror(picked), picked)

    base = draw()
    pose = base.clone()
    limbs, other = chance(recipe.recombine_limbs), draw()
    for bones in _PARTS.values():
        pose[:, bones] = torch.where(limbs & chance(0.6), draw()[:, bones], pose[:, bones])
    pose[:, LEGS] = torch.where(chance(recipe.swap_halves), other[:, LEGS], pose[:, LEGS])
    pose = torch.where(chance(recipe.mix_joints), _mix_joints(pool, count, generator), pose)
    along = torch.rand(count, 1, 1, generator=generator) * 1.2 - 0.1
    pose = torch.where(chance(recipe.interpolate), torch.lerp(pose, other, along), pose)
    pose = pose + torch.where(chance(recipe.perturb), _joint_noise(count, recipe, generator), 0.0)
    pose = clamp_to_limits(pose + _unrecorded_motion(count, recipe, generator))
    tumbled = rotmat_to_rotvec(random_rotations(count, generator))
    pose[:, 0] = torch.where(chance(recipe.tumble)[:, 0], tumbled, pose[:, 0])
    return pose


def random_rotations(count: int, generator: Generator) -> Tensor:
    """Uniform rotations [B,3,3] (Shoemake's quaternions from normals)."""
    w, x, y, z = torch.nn.functional.normalize(torch.randn(count, 4, generator=generator), dim=-1).unbind(-1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
        2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def _mix_joints(pool: Tensor, count: int, generator: Generator) -> Tensor:
    rows = torch.randint(len(pool), (count, pool.shape[1]), generator=generator)  # [B, 19]
    return pool[rows, torch.arange(pool.shape[1])]


def _joint_noise(count: int, recipe: PoseAugmentation, generator: Generator) -> Tensor:
    """Per-sample strength, half as strong on the trunk, whose joints add up."""
    strength = torch.rand(count, 1, 1, generator=generator) * np.deg2rad(recipe.perturb_degrees)
    softer = torch.ones(len(MOTION_BONES), 1)
    softer[[1, 2, 3, 4, 5, 12]] = 0.5
    return strength * softer * torch.randn(count, len(MOTION_BONES), 3, generator=generator)


def _unrecorded_motion(count: int, recipe: PoseAugmentation, generator: Generator) -> Tensor:
    noise = torch.zeros(count, len(MOTION_BONES), 3)
    for bones, degrees in zip(UNRECORDED, (recipe.clavicle_degrees, recipe.wrist_degrees), strict=True):
        noise[:, bones] = np.deg2rad(degrees) * torch.randn(count, 2, 3, generator=generator)
    return noise
