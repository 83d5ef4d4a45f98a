"""Virtual cameras: pinhole, ranges, and a body that stands upright before them."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pose2mesh.augmentation.cameras import CameraRange, PhotoCameras, project


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
    view = CameraRange((2.5, 8.0), pitch_degrees=12, roll_degrees=4).views(20_000, seeded())
    yaw, pitch, roll = angles_of(view.rotation).T
    assert view.distance.min() >= 2.5 and view.distance.max() <= 8.0
    assert view.distance.mean().item() == pytest.approx(5.25, abs=0.05)
    for values, deviation in ((pitch, 12), (roll, 4)):
        assert values.mean() == pytest.approx(0, abs=0.04 * deviation)
        assert values.std() == pytest.approx(deviation, rel=0.02)
    counts, _ = np.histogram(yaw, bins=8, range=(-180, 180))
    assert np.abs(counts / 2500 - 1).max() < 0.08  # a deviation is 0.019


def test_views_are_rotations() -> None:
    rotation = CameraRange(pitch_degrees=60, roll_degrees=60).views(100, seeded()).rotation
    torch.testing.assert_close(rotation @ rotation.transpose(1, 2), torch.eye(3).expand(100, 3, 3), rtol=0, atol=1e-5)
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(100))


def test_level_cameras_see_people_upright() -> None:
    """SMPL axes: y up; the picture's y points down. Without pitch and roll a head is above the feet, always."""
    view = CameraRange(pitch_degrees=0, roll_degrees=0).views(50, seeded())
    up = view.rotation @ torch.tensor([0.0, 1.0, 0.0])
    torch.testing.assert_close(up, torch.tensor([0.0, -1.0, 0.0]).expand(50, 3))


def test_same_seed_same_views() -> None:
    first, again, other = (CameraRange().views(5, seeded(s)) for s in (1, 1, 2))
    assert torch.equal(first.rotation, again.rotation) and torch.equal(first.distance, again.distance)
    assert not torch.equal(first.rotation, other.rotation)


def test_a_pelvis_aside_is_seen_where_it_is() -> None:
    points, place = torch.randn(4, 5, 3) * 0.3, torch.tensor([0.4, -0.2, 3.0])
    torch.testing.assert_close(
        project(points, place.expand(4, 3)), (points + place)[..., :2] / (points + place)[..., 2:]
    )


def test_photo_cameras_stand_where_they_say() -> None:
    """The lens in axes of the room: height over the pelvis, its level distance; the axis meets the body at aim."""
    recipe = PhotoCameras(
        distance=(2, 6), height=(0.2, 0.9), aim=(0.1, 0.3), aside=0, close=0, steep=0, tilted=0, roll_degrees=0
    )
    view = recipe.views(4000, seeded())
    lens = -(view.rotation.transpose(1, 2) @ view.translation[..., None])[..., 0]  # [B, 3] SMPL axes, pelvis at 0
    level = lens[:, [0, 2]].norm(dim=-1)
    assert lens[:, 1].min() > 0.2 - 1e-4 and lens[:, 1].max() < 0.9 + 1e-4
    assert level.min() > 2 - 1e-4 and level.max() < 6 + 1e-4
    assert level.log().mean().item() == pytest.approx(np.log(12) / 2, abs=0.02)  # even in the logarithm
    axis = view.rotation[:, 2]  # [B, 3] the direction of view
    aim = lens[:, 1] + axis[:, 1] * level / axis[:, [0, 2]].norm(dim=-1)
    assert aim.min() > 0.1 - 1e-4 and aim.max() < 0.3 + 1e-4


def test_photo_cameras_are_upright_unless_tilted() -> None:
    up = torch.tensor([0.0, 1.0, 0.0])
    straight = PhotoCameras(roll_degrees=0, tilted=0, steep=0)
    assert (straight.views(500, seeded()).rotation @ up)[:, 0].abs().max() < 1e-5  # no lean in the picture
    tilted = PhotoCameras(tilted=1, tilt_degrees=15, steep=0)
    seen = tilted.views(2000, seeded()).rotation @ up
    lean = torch.rad2deg(torch.atan2(seen[:, 0], -seen[:, 1]))
    assert 13 < lean.abs().max() < 20 and abs(lean.mean()) < 1


def test_close_and_steep_photo_cameras() -> None:
    close = PhotoCameras(close=1.0, steep=0).views(1000, seeded())
    assert close.distance.min() > 0.4 and close.distance.max() < 2.7 and close.distance.median() < 1.6
    steep = PhotoCameras(close=0, steep=1, roll_degrees=0, tilted=0).views(1000, seeded())
    pitch = torch.rad2deg(torch.asin(-(steep.rotation @ torch.tensor([0.0, 1.0, 0.0]))[:, 2]))
    assert -35.1 < pitch.min() < -30 and 60 < pitch.max() < 65.1
    for view in (close, steep):
        identity = torch.eye(3).expand(1000, 3, 3)
        torch.testing.assert_close(view.rotation @ view.rotation.transpose(1, 2), identity, rtol=0, atol=1e-5)
    again = PhotoCameras(close=1.0, steep=0).views(1000, seeded())
    assert torch.equal(close.translation, again.translation)


def test_people_face_photo_cameras_more_often_than_not() -> None:
    """Heading: the angle of the body's forward axis from the line to the lens, seen from above."""
    view = PhotoCameras(facing=0.5, facing_degrees=20, aside=0).views(8000, seeded())
    lens = -(view.rotation.transpose(1, 2) @ view.translation[..., None])[..., 0]
    heading = torch.rad2deg(torch.atan2(lens[:, 0], lens[:, 2]))
    turned = torch.distributions.Normal(0, 20).cdf(torch.tensor(30.0)) * 2 - 1
    expected = 0.5 * turned + 0.5 * 60 / 360
    assert (heading.abs() < 30).float().mean() == pytest.approx(expected.item(), abs=0.02)
