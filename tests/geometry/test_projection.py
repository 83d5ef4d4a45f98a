import numpy as np
import pytest

from pose2mesh.geometry.projection import default_focal, project
from pose2mesh.types import Camera


def test_projection_is_that_of_a_camera_at_the_origin():
    points = np.random.default_rng(0).uniform(1, 3, (4, 5, 3))
    camera = Camera(700.0, (320.0, 240.0), np.zeros(3))
    np.testing.assert_allclose(project(points, 700.0, (320.0, 240.0)), camera.project(points))


def test_default_focal_sees_the_diagonal_under_53_degrees():
    focal = default_focal((1920, 1080))
    corner = np.arctan(np.hypot(960, 540) / focal)
    assert np.degrees(2 * corner) == pytest.approx(53.13, abs=0.01)
