"""Pose augmentation: what it makes are poses, within the limits, and mirroring mirrors the body."""

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from pose2mesh.augmentation.bodies import random_bodies
from pose2mesh.augmentation.poses import (
    PoseAugmentation,
    clamp_to_limits,
    mirror,
    random_rotations,
    relative_rotvecs,
    sample_poses,
    world_rotmats,
)
from pose2mesh.body_models import AnnyBody, load_anny_body
from pose2mesh.body_models.anny import MOTION_BONES
from pose2mesh.datasets.motion_pack import PARENTS
from pose2mesh.skeletons import joint_set

CHANCES = ("recombine_limbs", "swap_halves", "mix_joints", "interpolate", "perturb", "tumble")
AS_RECORDED = PoseAugmentation(**dict.fromkeys(CHANCES, 0.0), clavicle_degrees=0, wrist_degrees=0)
LIMITS = {
    "spine03": 75,
    "neck01": 60,
    "lowerarm01.L": 155,
    "foot.R": 75,
    "wrist.L": 100,
    "upperleg01.R": 145,
}  # degrees


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def nearest(poses: torch.Tensor, known: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the nearest known pose [B] and its index [B], of poses [B,...] among [N,...]."""
    return cKDTree(known.flatten(1).numpy()).query(poses.flatten(1).numpy())


@pytest.fixture(scope="module")
def pool() -> torch.Tensor:
    """Poses that differ in every bone, inside the limits."""
    return clamp_to_limits(torch.randn(40, 19, 3, generator=seeded(1)) * 0.3)


@pytest.fixture(scope="module")
def body() -> AnnyBody:
    return load_anny_body()


def test_limits_hold(pool: torch.Tensor) -> None:
    wild = PoseAugmentation(perturb=1, perturb_degrees=180, wrist_degrees=90, clavicle_degrees=90)
    angles = torch.rad2deg(sample_poses(pool, 500, wild, seeded()).norm(dim=-1))  # [B, 19]
    for bone, limit in LIMITS.items():
        largest = angles[:, MOTION_BONES.index(bone)].max()
        assert limit - 0.01 <= largest <= limit + 0.01, bone  # so wild a recipe reaches each limit
    assert angles[:, 0].max() > 160  # the root is free


def test_clamping_keeps_the_axis_and_what_is_inside(pool: torch.Tensor) -> None:
    torch.testing.assert_close(clamp_to_limits(pool), pool)
    clamped, wild = clamp_to_limits(pool * 20), pool * 20
    torch.testing.assert_close(
        torch.nn.functional.normalize(clamped, dim=-1), torch.nn.functional.normalize(wild, dim=-1)
    )
    assert torch.isfinite(clamp_to_limits(torch.zeros(19, 3))).all()


def test_same_seed_same_draw(pool: torch.Tensor) -> None:
    first, again, other = (sample_poses(pool, 30, PoseAugmentation(), seeded(s)) for s in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_without_augmentation_poses_are_recorded_or_mirrored(pool: torch.Tensor) -> None:
    drawn = sample_poses(pool, 200, AS_RECORDED, seeded())
    distance, index = nearest(drawn, torch.cat([pool, mirror(pool)]))
    assert distance.max() < 1e-5
    assert 0.35 < (index >= len(pool)).mean() < 0.65


def test_limbs_come_whole(pool: torch.Tensor) -> None:
    """Recombined poses are new, but each limb is one that was recorded (or its mirror image)."""
    recipe = PoseAugmentation(**{**vars(AS_RECORDED), "recombine_limbs": 1.0})
    drawn, known = sample_poses(pool, 100, recipe, seeded()), torch.cat([pool, mirror(pool)])
    for limb in ((5, 6, 7, 8), (16, 17, 18)):
        assert nearest(drawn[:, limb], known[:, limb])[0].max() < 1e-5
    assert (nearest(drawn, known)[0] > 0.1).mean() > 0.8


def test_tumbling_turns_the_root_alone(pool: torch.Tensor) -> None:
    recipe = PoseAugmentation(**{**vars(AS_RECORDED), "tumble": 1.0})
    drawn, known = sample_poses(pool, 100, recipe, seeded()), torch.cat([pool, mirror(pool)])
    assert nearest(drawn[:, 1:], known[:, 1:])[0].max() < 1e-5
    assert nearest(drawn[:, 0], known[:, 0])[0].min() > 1e-3


def test_world_rotations_are_rotations_along_the_chain(pool: torch.Tensor) -> None:
    world = world_rotmats(pool)
    identity = torch.eye(3).expand_as(world)
    torch.testing.assert_close(world @ world.transpose(-1, -2), identity, rtol=0, atol=1e-5)
    torch.testing.assert_close(torch.linalg.det(world), torch.ones(world.shape[:2]), rtol=0, atol=1e-5)
    chain: list[Rotation] = []
    for bone, parent in enumerate(PARENTS):
        turn = Rotation.from_rotvec(pool[:, bone].double().numpy())
        chain.append(turn if parent < 0 else chain[parent] * turn)
    np.testing.assert_allclose(world.numpy(), np.stack([c.as_matrix() for c in chain], 1), atol=1e-5)


def test_recorded_poses_lose_their_heading_only() -> None:
    """Anny's axes to SMPL's, no turn about the vertical, everything else as recorded."""
    world = Rotation.random(4 * 19, rng=5)
    rotvec = world.as_rotvec().reshape(4, 19, 3)
    ours = world_rotmats(relative_rotvecs(rotvec)).double().numpy()
    change = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    expected = change @ world.as_matrix().reshape(4, 19, 3, 3) @ change.T
    heading = ours @ np.swapaxes(expected, -1, -2)  # one and the same turn about y for all bones of a pose
    np.testing.assert_allclose(heading, np.broadcast_to(heading[:, :1], heading.shape), atol=1e-5)
    np.testing.assert_allclose(heading[..., 1, :], np.broadcast_to([0, 1, 0], (4, 19, 3)), atol=1e-5)
    x, y, z, w = Rotation.from_matrix(ours[:, 0]).as_quat().T
    assert np.abs(y).max() < 1e-5 and np.abs(x).max() > 0.05 and np.abs(z).max() > 0.05 and np.abs(w).max() > 0.05


def test_heading_does_not_matter() -> None:
    pose = Rotation.random(19, rng=6)
    turned = Rotation.from_euler("z", 77, degrees=True) * pose
    both = relative_rotvecs(np.stack([pose.as_rotvec(), turned.as_rotvec()]))
    torch.testing.assert_close(both[0], both[1], rtol=0, atol=1e-5)


def test_mirroring_twice_is_nothing(pool: torch.Tensor) -> None:
    assert torch.equal(mirror(mirror(pool)), pool)


def test_mirrored_pose_is_the_mirrored_body(body: AnnyBody, pool: torch.Tensor) -> None:
    flip, betas = list(joint_set("coco17").flip_permutation), torch.zeros(10, body.num_shape)
    regressor = torch.as_tensor(body.joint_regressor("coco17"))
    joints, mirrored = (
        regressor @ body(betas, body.expand_pose(world_rotmats(pose))).vertices
        for pose in (pool[:10], mirror(pool[:10]))
    )  # [B, 17, 3]
    difference = (mirrored - joints[:, flip] * torch.tensor([-1.0, 1, 1])).norm(dim=-1)
    assert difference.max() < 2e-3  # the fitted bone heads are symmetric to 0.3 mm each
    assert (mirrored - joints).norm(dim=-1).max() > 0.1


def test_random_rotations_are_uniform() -> None:
    """Uniform on SO(3): the expected matrix is zero, the angle has density (1 - cos a) / pi."""
    rotations = random_rotations(20_000, seeded())
    assert rotations.mean(0).abs().max() < 0.02  # deviation of each mean: 0.004
    assert torch.allclose(torch.linalg.det(rotations), torch.ones(()), atol=1e-5)
    angle = Rotation.from_matrix(rotations.double().numpy()).magnitude()
    for a in (1.0, 2.0, 3.0):
        assert (angle < a).mean() == pytest.approx((a - np.sin(a)) / np.pi, abs=0.015)


def test_random_bodies_repeat(body: AnnyBody) -> None:
    first, again, other = (random_bodies(body, 2, seed=s) for s in (0, 0, 1))
    assert np.array_equal(first, again) and not np.allclose(first, other)
    assert first.shape == (2, 13718, 3) and np.abs(first).max() < 2.5
