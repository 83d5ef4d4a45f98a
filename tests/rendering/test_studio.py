import numpy as np
import pytest
import trimesh

from pose2mesh.rendering import software
from pose2mesh.rendering.studio import LOWEST_CAMERA, SKIN_TONE, WALL_GAP, render_studio, studio_background
from pose2mesh.types import Camera

BALL = trimesh.creation.icosphere(subdivisions=3, radius=0.3)
FACES = np.asarray(BALL.faces, np.int32)
CENTER, SIZE, FOCAL = (120.0, 90.0), (240, 200), 220.0
VIEW = software.Pinhole(FOCAL, CENTER, SIZE)


def _ball(x: float = 0.1, y: float = 0.5, z: float = 3.0) -> np.ndarray:
    return np.asarray(BALL.vertices) + np.array([x, y, z])


def test_the_room_is_the_same_on_every_run():
    first = studio_background(_ball(), VIEW)
    np.testing.assert_array_equal(first, studio_background(_ball(), VIEW))
    assert first.shape == (200, 240, 3)
    assert first.dtype == np.uint8


def test_the_body_covers_what_the_renderer_covers_and_nothing_else():
    picture = render_studio(_ball(), FACES, VIEW)
    room = studio_background(_ball(), VIEW)
    view = software.Pinhole(2 * FOCAL, (2 * CENTER[0], 2 * CENTER[1]), (2 * SIZE[0], 2 * SIZE[1]))
    rgb, depth = software.render(_ball(), FACES, view, SKIN_TONE)
    samples = (depth > 0).reshape(200, 2, 240, 2).sum((1, 3))  # [H, W] of four
    assert (samples == 4).sum() > 1000
    np.testing.assert_array_equal(picture[samples == 0], room[samples == 0])
    mean = rgb.reshape(200, 2, 240, 2, 3).mean((1, 3))
    np.testing.assert_allclose(picture[samples == 4], mean[samples == 4], atol=1)
    assert (picture != room).any(-1)[samples > 1].all()


def _brightness(room: np.ndarray, point: tuple[float, float, float]) -> float:
    x, y = Camera(FOCAL, CENTER, np.zeros(3)).project(np.array(point)).astype(int)
    return float(room[y, x].mean())


def test_the_floor_lies_under_the_body_in_perspective():
    room = studio_background(_ball(), VIEW)
    tiles = {  # centers of tiles of 0.4 m on the floor at y = 0.8, beyond the reach of the shadow
        (i, k): _brightness(room, (0.4 * (i + 0.5), 0.8, 0.4 * (k + 0.5))) for i in (-4, -3, 3, 4) for k in (9, 10)
    }
    dark = [value for (i, k), value in tiles.items() if (i + k) % 2 == 0]
    bright = [value for (i, k), value in tiles.items() if (i + k) % 2]
    assert min(bright) > max(dark) + 8


def test_the_wall_meets_the_floor_behind_the_body():
    room = studio_background(_ball(), VIEW).astype(float)
    foot = CENTER[1] + FOCAL * 0.8 / (3.3 + WALL_GAP)  # row where the wall stands on the floor
    step = np.abs(np.diff(room[:, 5].mean(-1)))
    assert step[: int(foot) + 20].argmax() == pytest.approx(foot, abs=1.5)


def test_the_floor_is_dark_where_the_body_stands():
    with_shadow = studio_background(_ball(x=0.2), VIEW)
    beside = studio_background(_ball(x=2.6), VIEW)
    touch = (0.2, 0.8, 3.0)
    assert _brightness(with_shadow, touch) < 0.8 * _brightness(beside, touch)
    np.testing.assert_array_equal(with_shadow[:100], beside[:100])  # the wall gets no shadow


def test_a_body_above_the_camera_gets_a_floor_below_the_camera():
    room = studio_background(_ball(y=-2.0), VIEW).astype(float)
    assert _brightness(room, (0.2, LOWEST_CAMERA, 1.2)) < room[:90].mean() - 20
