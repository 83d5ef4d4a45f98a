"""Closed-form cameras against exact projections, a general-purpose optimizer, noise and outliers."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from pose2mesh.fitting.camera import NEAREST, _linear_translation, fit_cameras, fit_perspective, fit_weak_perspective
from pose2mesh.geometry.placement import place_bodies
from pose2mesh.types import Camera, Intrinsics

CENTER, FOCAL = (320.0, 240.0), 800.0


def body(rng, joints=17):
    points = rng.normal(0, 1, (joints, 3)) * [0.25, 0.5, 0.2]
    return points - points.mean(0)


def place(rng):
    return np.array([rng.normal(0, 0.5), rng.normal(0, 0.3), rng.uniform(2.5, 8)])


@pytest.mark.parametrize("seed", range(20))
def test_exact_projections_give_the_exact_translation(seed):
    rng = np.random.default_rng(seed)
    joints, translation = body(rng), place(rng)
    points = Camera(FOCAL, CENTER, translation).project(joints)
    found = fit_perspective(joints, points, rng.uniform(0.1, 1, 17), FOCAL, CENTER)
    np.testing.assert_allclose(found, translation, atol=1e-6)


def test_two_joints_suffice():
    rng = np.random.default_rng(3)
    joints, translation = body(rng), place(rng)
    points = Camera(FOCAL, CENTER, translation).project(joints)
    confidence = np.zeros(17)
    confidence[[2, 9]] = 0.5
    found = fit_perspective(joints, points, confidence, FOCAL, CENTER)
    np.testing.assert_allclose(found, translation, atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_averaged_out_and_missing_joints_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    joints, translation = body(rng, 200), place(rng)
    points = Camera(FOCAL, CENTER, translation).project(joints) + rng.normal(0, 2, (200, 2))
    confidence = rng.uniform(0.5, 1, 200)
    confidence[::5] = 0
    wild = points.copy()
    wild[::5] = 1e5
    found = fit_perspective(joints, points, confidence, FOCAL, CENTER)
    np.testing.assert_array_equal(found, fit_perspective(joints, wild, confidence, FOCAL, CENTER))
    assert np.abs(found - translation)[:2].max() < 0.01
    assert abs(found[2] / translation[2] - 1) < 0.02


def test_swapped_joints_do_not_pull_the_body_away():
    """Without reweighting the mean depth error over these bodies is 0.7 m."""
    errors = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        joints, translation = body(rng), place(rng)
        points = Camera(FOCAL, CENTER, translation).project(joints)
        points[:2] += rng.choice([-1, 1], (2, 2)) * 0.25 * np.ptp(points[:, 1])
        found = fit_perspective(joints, points, np.ones(17), FOCAL, CENTER)
        errors.append(np.abs(found - translation))
    assert np.mean(errors, 0)[2] < 0.05


def uncertain(seed):
    """A body whose joints are the further off the less they are trusted: joints, points, confidence, translation."""
    rng = np.random.default_rng(seed)
    joints, translation = body(rng), place(rng)
    confidence = rng.uniform(0.02, 1, 17)
    points = Camera(FOCAL, CENTER, translation).project(joints)
    return joints, points + rng.normal(0, 3, (17, 2)) / confidence[:, None], confidence, translation


@pytest.mark.parametrize("seed", range(5))
def test_the_start_is_the_weighted_least_squares_of_the_rays(seed):
    """Against the same system solved by elimination, as the batched camera does."""
    joints, points, confidence, _ = uncertain(seed)
    rays = (points - np.array(CENTER)) / FOCAL
    expected = place_bodies(*(torch.from_numpy(x)[None] for x in (joints, rays, confidence)))[0]
    (found,), (is_found,) = _linear_translation(joints[None], rays[None], confidence[None])
    assert is_found
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_confidence_weighs_in_the_refined_camera():
    """Beside it the same camera that trusts all joints alike, over bodies whose doubtful joints are far off."""
    errors = []
    for seed in range(60):
        joints, points, confidence, translation = uncertain(seed)
        weighted, alike = (fit_perspective(joints, points, c, FOCAL, CENTER) for c in (confidence, np.ones(17)))
        errors.append([abs(found[2] - translation[2]) for found in (weighted, alike)])
    weighted, alike = np.mean(errors, 0)
    assert weighted < 0.8 * alike


def test_the_refined_camera_is_where_the_weighted_robust_gradient_vanishes():
    """With Huber's weights of the last step held, of which the median error is the scale."""
    for seed in range(5):
        joints, points, confidence, _ = uncertain(seed)
        found = fit_perspective(joints, points, confidence, FOCAL, CENTER)
        size = np.linalg.norm(Camera(FOCAL, CENTER, found).project(joints) - points, axis=1)
        limit = 1.345 * 1.4826 * np.median(size)
        weights = confidence * np.minimum(1, limit / size)

        def cost(t, joints=joints, points=points, weights=weights):
            return (weights[:, None] * (Camera(FOCAL, CENTER, t).project(joints) - points) ** 2).sum()

        best = minimize(cost, found, method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-6, "maxiter": 2000}).x
        assert abs(best[2] / found[2] - 1) < 5e-3 and np.abs(best - found)[:2].max() < 5e-3


def test_weak_perspective_minimizes_its_weighted_squares():
    rng = np.random.default_rng(5)
    joints, confidence = body(rng), rng.uniform(0, 1, 17)
    points = 150 * joints[:, :2] + [300, 200] + rng.normal(0, 20, (17, 2))

    def cost(x):
        return (confidence[:, None] * (x[0] * 100 * joints[:, :2] + x[1:] * 100 - points) ** 2).sum()

    expected = minimize(cost, np.ones(3), method="BFGS", options={"gtol": 1e-6}).x * 100
    found = fit_weak_perspective(joints, points, confidence)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_weak_perspective_recovers_an_exact_scale():
    joints = body(np.random.default_rng(6))
    found = fit_weak_perspective(joints, 212.5 * joints[:, :2] + [31, -7], np.ones(17))
    np.testing.assert_allclose(found, (212.5, 31, -7), atol=1e-9)


DEGENERATE = {
    "one joint": (1, lambda points: points),
    "one point": (17, lambda points: np.full_like(points, 100.0)),
    "upside down": (17, lambda points: 2 * points.mean(0) - points),
    "tiny": (17, lambda points: points * 1e-6),
    "huge": (17, lambda points: points * 1e5),
}


@pytest.mark.parametrize(("seen", "change"), DEGENERATE.values(), ids=DEGENERATE.keys())
def test_degenerate_keypoints_give_a_body_in_front_of_the_camera(seen, change):
    rng = np.random.default_rng(7)
    joints = body(rng)
    points = change(Camera(FOCAL, CENTER, place(rng)).project(joints))
    confidence = (np.arange(17) < seen).astype(float)
    found = fit_perspective(joints, points, confidence, FOCAL, CENTER)
    assert np.isfinite(found).all()
    assert (joints[:seen, 2] + found[2]).min() >= NEAREST - 1e-9


def test_one_camera_per_person_with_the_diagonal_as_focal_length():
    rng = np.random.default_rng(8)
    joints = np.stack([body(rng), body(rng)])
    places = [place(rng), place(rng)]
    points = np.stack([Camera(500.0, (150, 200), t).project(j) for t, j in zip(places, joints, strict=True)])
    confidence = np.stack([np.ones(17), np.ones(17)])
    cameras = fit_cameras(joints, points, confidence, (300, 400))
    for camera, translation in zip(cameras, places, strict=True):
        assert camera.focal == 500 and camera.center == (150, 200) and camera.image_size == (300, 400)
        np.testing.assert_allclose(camera.translation, translation, atol=1e-6)


def test_what_is_known_of_the_camera_replaces_the_guess():
    """A focal length alone keeps the middle of the picture, or of the people where nobody knows the picture."""
    rng = np.random.default_rng(8)
    joints, confidence = body(rng)[None], np.ones((1, 17))
    for depth in (3.0, 5.0, 8.0):
        translation = np.array([0.3, -0.2, depth])
        true = Camera(1400.0, (900.0, 500.0), translation, (1920, 1080))
        points = true.project(joints)
        (found,) = fit_cameras(joints, points, confidence, (1920, 1080), Intrinsics(1400.0, (900.0, 500.0)))
        assert (found.focal, found.center, found.image_size) == (true.focal, true.center, true.image_size)
        np.testing.assert_allclose(found.translation, translation, atol=1e-6)
        (found,) = fit_cameras(joints, points, confidence, (1920, 1080), Intrinsics(1400.0))
        assert found.center == (960, 540) and found.translation[2] == pytest.approx(depth, rel=0.05)
        (found,) = fit_cameras(joints, points, confidence, None, Intrinsics(1400.0))
        np.testing.assert_allclose(found.center, (points[0].min(0) + points[0].max(0)) / 2)
        assert found.translation[2] == pytest.approx(depth, rel=0.05)


def test_unknown_picture_size_still_projects_onto_the_keypoints():
    rng = np.random.default_rng(9)
    joints, translation = body(rng), np.array([0.0, 0.0, 4.0])
    points = Camera(FOCAL, CENTER, translation).project(joints)
    (camera,) = fit_cameras(joints[None], points[None], np.ones((1, 17)))
    error = np.linalg.norm(camera.project(joints) - points, axis=-1)
    assert error.mean() < 0.03 * np.ptp(points[:, 1])
    assert fit_cameras(joints[None], points[None], np.zeros((1, 17))) == [None]
