"""Where there is no photo, people of any size of picture are drawn, on one of sane size."""

import numpy as np
import pytest

from pose2mesh.rendering.canvas import LIMITS, plain_canvas
from pose2mesh.types import Camera, Person

BODY = np.array([[100.0, 40, 1], [140, 40, 1], [120, 200, 1]], np.float32)  # x, y px and confidence


def person(keypoints: np.ndarray, camera: Camera | None) -> Person:
    return Person(np.zeros((0, 3)), np.zeros((0, 3), np.int32), np.zeros((1, 3)), ("nose",), keypoints, camera)


@pytest.mark.parametrize(
    ("size", "expected", "scale"),
    [
        ((640, 480), (640, 480), 1),
        ((5760, 4320), (4096, 3072), 4096 / 5760),
        ((99999, 99999), (4096, 4096), 4096 / 99999),
        ((32, 16), (128, 64), 4),
        ((1, 1), (64, 64), 64),
        ((20000, 10), (4096, 64), 4096 / 20000),
    ],
)
def test_a_picture_of_known_size(size, expected, scale):
    camera = Camera(1000.0, (size[0] / 2, size[1] / 2), np.array([0, 0, 5.0]), size)
    canvas = plain_canvas(BODY, camera, (255, 255, 255))
    assert canvas.image.shape[1::-1] == expected and (canvas.image == 255).all()
    shown = canvas.show(person(BODY, camera))
    point = np.array([[0.1, 0.2, 0.3]])
    np.testing.assert_allclose(shown.camera.project(point), scale * camera.project(point))
    np.testing.assert_allclose(shown.keypoints, BODY * [scale, scale, 1], rtol=1e-6)


@pytest.mark.parametrize("factor", [0.01, 1, 1000])
@pytest.mark.parametrize("place", [(0, 0), (-1000, 0), (0, -1000), (-5000, -5000)])
def test_keypoints_tell_how_large(factor, place):
    """Those that are left of or above every picture are seen as well."""
    body = BODY * [factor, factor, 1] + [factor * place[0], factor * place[1], 0]
    canvas = plain_canvas(body, None, (0, 0, 0))
    height, width = canvas.image.shape[:2]
    assert LIMITS[0] <= min(height, width) <= max(height, width) <= LIMITS[1]
    points = canvas.show(person(body, None)).keypoints[:, :2]
    assert (points >= 0).all() and (points < (width, height)).all()
    assert np.ptp(points, axis=0).max() > 0.5 * min(height, width)


def test_nothing_seen_is_a_picture_as_well():
    assert plain_canvas(BODY * [1, 1, 0], None, (0, 0, 0)).image.size
    assert plain_canvas(BODY * [1, 1, 0], Camera(1.0, (50.0, 40.0), np.zeros(3)), (0, 0, 0)).image.shape == (80, 100, 3)
