"""Positions in closed form against least squares by NumPy, and their gradients."""

import numpy as np
import torch

from pose2mesh.fitting.camera import fit_cameras
from pose2mesh.geometry.placement import NEAREST, guess_rays, place_bodies, project_rays, reprojection_errors


def scene(people: int = 5, noise: float = 0.0):
    generator = torch.Generator().manual_seed(0)
    joints = 0.4 * torch.randn(people, 11, 3, generator=generator).double()
    placed = joints + torch.tensor([0.3, -0.2, 4.0])
    rays = placed[..., :2] / placed[..., 2:]
    rays = rays + noise * torch.randn(rays.shape, generator=generator)
    weights = torch.rand(people, 11, generator=generator).double()
    weights[:, 2] = 0
    return joints, rays, weights


def test_exact_rays_give_the_position_back():
    joints, rays, weights = scene()
    expected = torch.tensor([0.3, -0.2, 4.0], dtype=torch.float64).expand(5, 3)
    torch.testing.assert_close(place_bodies(joints, rays, weights), expected, atol=1e-6, rtol=0)
    assert reprojection_errors(joints, rays, weights).max() < 1e-4


def test_noisy_rays_give_the_least_squares_of_numpy():
    joints, rays, weights = scene(noise=0.02)
    found = place_bodies(joints, rays, weights)
    for person in range(len(joints)):
        ray, joint, root = (x[person].numpy() for x in (rays, joints, weights.sqrt()))
        rows = [np.column_stack([np.full(11, axis == 0), np.full(11, axis == 1), -ray[:, axis]]) for axis in (0, 1)]
        target = [ray[:, axis] * joint[:, 2] - joint[:, axis] for axis in (0, 1)]
        system = np.concatenate([row * root[:, None] for row in rows])
        expected = np.linalg.lstsq(system, np.concatenate([t * root for t in target]), rcond=None)[0]
        np.testing.assert_allclose(found[person].numpy(), expected, atol=1e-8)


def test_a_joint_without_weight_may_be_anywhere():
    joints, rays, weights = scene()
    before = place_bodies(joints, rays, weights)
    rays[:, 2] = 1e3
    torch.testing.assert_close(place_bodies(joints, rays, weights), before)


def test_gradients_pass_the_camera():
    joints, rays, weights = scene(2, noise=0.02)
    joints.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: reprojection_errors(x, rays, weights), (joints,), atol=1e-4)


def test_degenerate_people_stay_finite_and_in_front_of_the_camera():
    joints = torch.zeros(2, 6, 3, requires_grad=True)
    rays, weights = torch.zeros(2, 6, 2), torch.tensor([[1.0] * 6, [0.0] * 6])
    errors = reprojection_errors(joints, rays, weights)
    errors.sum().backward()
    assert errors.isfinite().all() and joints.grad.isfinite().all()
    assert (place_bodies(joints, rays, weights)[:, 2] >= NEAREST - 1e-6).all()


def test_guessed_rays_are_those_of_the_guessed_camera():
    generator = torch.Generator().manual_seed(1)
    keypoints = 400 * torch.rand(1, 9, 3, generator=generator)
    keypoints[..., 2], keypoints[0, 4, 2] = 1, 0
    points, confidence = keypoints[..., :2].numpy(), keypoints[..., 2].numpy()
    (camera,) = fit_cameras(np.random.default_rng(0).normal(size=(1, 9, 3)), points, confidence)
    expected = (points[0] - np.asarray(camera.center)) / camera.focal
    np.testing.assert_allclose(guess_rays(keypoints)[0][[0, 1, 8]], expected[[0, 1, 8]], atol=1e-6)
    assert torch.equal(guess_rays(keypoints)[0, 4], torch.zeros(2))


def test_projection_is_the_inverse_of_placing():
    joints, rays, weights = scene()
    torch.testing.assert_close(project_rays(joints, place_bodies(joints, rays, weights)), rays, atol=1e-6, rtol=0)
