"""What the network sees of a 2D pose: not where, not how large, and nothing of joints that are missing."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from pose2mesh.networks.lifter import normalize_pose


def poses(count: int = 6, missing: float = 0.3, seed: int = 0) -> torch.Tensor:
    """Random poses [B,17,3] with confidences, some joints missing; the first three are always there."""
    generator = torch.Generator().manual_seed(seed)
    out = torch.rand(count, 17, 3, generator=generator) + 0.1
    gone = torch.rand(count, 17, generator=generator) < missing
    gone[:, :3] = False
    out[..., 2] *= ~gone
    return out


def test_visible_joints_have_mean_zero_and_size_one() -> None:
    keypoints = poses()
    for pose, given_pose in zip(normalize_pose(keypoints), keypoints, strict=True):
        points = pose[given_pose[:, 2] > 0, :2]
        torch.testing.assert_close(points.mean(0), torch.zeros(2), rtol=0, atol=1e-6)
        torch.testing.assert_close(points.square().sum(1).mean(), torch.tensor(1.0))


def test_aspect_is_kept() -> None:
    keypoints = poses(missing=0)
    before = keypoints[:, 1:, :2] - keypoints[:, :1, :2]
    after = normalize_pose(keypoints)[:, 1:, :2] - normalize_pose(keypoints)[:, :1, :2]
    ratio = after / before  # one number for both axes and all joints of a pose
    torch.testing.assert_close(ratio, ratio[:, :1, :1].expand_as(ratio), rtol=1e-3, atol=0)


@given(st.floats(0.01, 1000), st.floats(-1000, 1000), st.floats(-1000, 1000))
def test_position_and_size_do_not_matter(scale: float, x: float, y: float) -> None:
    keypoints = poses().double()
    moved = keypoints.clone()
    moved[..., :2] = scale * keypoints[..., :2] + torch.tensor([x, y], dtype=torch.float64)
    torch.testing.assert_close(normalize_pose(moved), normalize_pose(keypoints), rtol=0, atol=1e-8)


@given(st.sampled_from([0.0, 1e30, -5.0, float("nan"), float("inf")]))
def test_coordinates_of_missing_joints_do_not_matter(value: float) -> None:
    keypoints = poses()
    altered = keypoints.clone()
    altered[..., :2][keypoints[..., 2] == 0] = value
    assert torch.equal(normalize_pose(altered), normalize_pose(keypoints))


def test_missing_joints_are_zero_and_confidences_pass() -> None:
    keypoints = poses()
    normalized, gone = normalize_pose(keypoints), keypoints[..., 2] == 0
    assert gone.any() and (normalized[gone] == 0).all()
    assert torch.equal(normalized[..., 2], keypoints[..., 2])


def test_degenerate_poses_stay_finite() -> None:
    nobody, one_joint, one_place = torch.zeros(17, 3), torch.zeros(17, 3), torch.full((17, 3), 0.5)
    one_joint[4] = torch.tensor([3.0, 4.0, 1.0])
    normalized = normalize_pose(torch.stack([nobody, one_joint, one_place]))
    assert torch.isfinite(normalized).all()
    assert (normalized[..., :2] == 0).all()
