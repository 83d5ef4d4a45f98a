"""Virtual cameras: pinhole, ranges, and a body that stands upright before them."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pose2mesh.augmentation.cameras import CameraRange, project, sample_views


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def angles_of(rotation: torch.Tensor) -> np.ndarray:
    """(yaw, pitch, roll) in degrees [B,3] with rotation = Rz(roll) Rx(pitch) diag(1,-1,-1) Ry(yaw)."""
    flip = np.diag([1.0, -1, -1])
    # diag(1,-1,-1) Ry(yaw) = Ry(-yaw) diag(1,-1,-1)
    bare = Rotation.from_matrix(rotation.double().numpy() @ flip)
    roll, pitch, turn = bare.as_euler("ZXY", degrees=True).T
    return np.stack([-turn, pitch, roll], 1)


def test_projection_is_a_pinhole() -> None:
    points, distance = torch.randn(5, 17, 3) * 0.5, torch.rand(5) * 3 + 2.5
    expected = [[(x / (z + d), y / (z + d)) for x, y, z in body] for body, d in zip(points, distance, strict=True)]
    torch.testing.assert_close(project(points, distance), torch.tensor(expected))


def test_points_behind_the_camera_stay_finite() -> None:
    points = torch.tensor([[[0.1, 0.2, -5.0]]])
    assert project(points, torch.tensor([3.0])).abs().max() <= 1.0 + 1e-6  # as if 0.2 m in front of it


def test_angles_and_distances_have_their_ranges() -> None:
    view = sample_views(20_000, CameraRange((2.5, 8.0), pitch_degrees=12, roll_degrees=4), seeded())
    yaw, pitch, roll = angles_of(view.rotation).T
    assert view.distance.min() >= 2.5 and view.distance.max() <= 8.0
    assert view.distance.mean().item() == pytest.approx(5.25, abs=0.05)
    for values, deviation in ((pitch, 12), (roll, 4)):
        assert values.mean() == pytest.approx(0, abs=0.04 * deviation)
        assert values.std() == pytest.approx(deviation, rel=0.02)
    counts, _ = np.histogram(yaw, bins=8, range=(-180, 180))
    assert np.abs(counts / 2500 - 1).max() < 0.08  # a deviation is 0.019


def test_views_are_rotations() -> None:
    rotation = sample_views(100, CameraRange(pitch_degrees=60, roll_degrees=60), seeded()).rotation
    torch.testing.assert_close(rotation @ rotation.transpose(1, 2), torch.eye(3).expand(100, 3, 3), rtol=0, atol=1e-5)
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(100))


def test_level_cameras_see_people_upright() -> None:
    """SMPL axes: y up; the picture's y points down. Without pitch and roll a head is above the feet, always."""
    view = sample_views(50, CameraRange(pitch_degrees=0, roll_degrees=0), seeded())
    up = view.rotation @ torch.tensor([0.0, 1.0, 0.0])
    torch.testing.assert_close(up, torch.tensor([0.0, -1.0, 0.0]).expand(50, 3))


def test_same_seed_same_views() -> None:
    first, again, other = (sample_views(5, CameraRange(), seeded(s)) for s in (1, 1, 2))
    assert torch.equal(first.rotation, again.rotation) and torch.equal(first.distance, again.distance)
    assert not torch.equal(first.rotation, other.rotation)
