import numpy as np
import pytest

from pose2mesh.geometry.projection import default_focal, project
from pose2mesh.types import Camera


def test_projection_is_the_camera_matrix_and_a_division():
    """x = K [R | t] X in homogeneous coordinates (Hartley & Zisserman 2004, eq. 6.5), with R the identity."""
    points = np.random.default_rng(0).uniform((-2, -1, 1), (2, 1, 9), (4, 5, 3))
    translation = np.array([0.3, -0.2, 2.0])
    matrix = np.array([[700, 0, 320], [0, 700, 240], [0, 0, 1]]) @ np.column_stack([np.eye(3), translation])  # [3, 4]
    homogeneous = np.concatenate([points, np.ones((4, 5, 1))], -1) @ matrix.T
    expected = homogeneous[..., :2] / homogeneous[..., 2:]
    np.testing.assert_allclose(project(points + translation, 700.0, (320.0, 240.0)), expected)
    np.testing.assert_allclose(Camera(700.0, (320.0, 240.0), translation).project(points), expected)


def test_right_and_down_are_positive():
    """A metre to the right and half a metre down, two metres ahead: 350 and 175 pixels from the middle."""
    np.testing.assert_allclose(project(np.array([1.0, 0.5, 2.0]), 700.0, (320.0, 240.0)), [670, 415])


def test_default_focal_sees_the_diagonal_under_53_degrees():
    focal = default_focal((1920, 1080))
    corner = np.arctan(np.hypot(960, 540) / focal)
    assert np.degrees(2 * corner) == pytest.approx(53.13, abs=0.01)
