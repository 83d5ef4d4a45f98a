"""Textures from photos of bodies whose colors are known: what is seen comes back, what is hidden is completed."""

import numpy as np
import pytest

from pose2mesh.body_models import load_anny_body
from pose2mesh.rendering.photo_texture import PhotoTexture
from pose2mesh.rendering.software import Pinhole, rasterize

SIZE, FOCAL = 224, 5000.0
CENTER = (SIZE / 2, SIZE / 2)


@pytest.fixture(scope="module")
def model() -> PhotoTexture:
    return PhotoTexture(load_anny_body())


@pytest.fixture(scope="module")
def rest() -> np.ndarray:
    return load_anny_body().v_template.numpy().astype(np.float64)


@pytest.fixture(scope="module")
def front(rest) -> np.ndarray:
    """The rest pose, upright before the camera, about 190 pixels tall."""
    vertices = rest * [1, -1, -1]
    return vertices - (vertices.max(0) + vertices.min(0)) / 2 + [0, 0, 45.0]


def stripes(rest: np.ndarray) -> np.ndarray:
    """Colors that change smoothly along the height and are the same on both sides."""
    height = (rest[:, 1] - rest[:, 1].min()) / np.ptp(rest[:, 1])
    return np.stack([height, 1 - height, np.full_like(height, 0.3)], 1)


def painted(model: PhotoTexture, vertices: np.ndarray, colors: np.ndarray, background: np.ndarray) -> np.ndarray:
    """A picture in the colors of the vertices, without any detour through UV space."""
    hits = rasterize(vertices, model.faces, Pinhole(FOCAL, CENTER, (SIZE, SIZE)))
    out = background.reshape(-1, 3).copy()
    out[hits.pixels] = np.rint(255 * hits.interpolate(colors))
    return out.reshape(background.shape)


def test_looking_up_a_texel_gives_the_point_of_the_mesh_that_it_lies_on(model, front, rest):
    """The picture holds each texel's place on the mesh, so a pixel must find its own: to millimetres at every seam."""
    unwrapping = model.unwrapping
    hits = unwrapping.rasterize(front, Pinhole(FOCAL, CENTER, (SIZE, SIZE)))
    found = unwrapping.look_up(unwrapping.picture(unwrapping.on_mesh(rest)), hits)
    truth = hits.interpolate(rest[unwrapping.vertex_of])
    error = np.linalg.norm(found - truth, axis=1)
    assert np.median(error) < 1e-3
    assert error.max() < 0.015


def test_a_texture_of_vertex_colors_renders_like_the_vertices(model, front, rest):
    white = np.full((SIZE, SIZE, 3), 255, np.uint8)
    wanted = painted(model, front, stripes(rest), white)
    picture = model.render(front, model.unwrapped(stripes(rest)), FOCAL, white)
    assert np.abs(picture.astype(int) - wanted).max() <= 6


def test_a_photo_comes_back_from_its_own_texture(model, front, rest):
    """Finer than the vertices are: a checkerboard of 3 pixels, seen from where the photo was taken."""
    board = (np.add.outer(np.arange(SIZE) // 3, np.arange(SIZE) // 3) % 2 * 150 + 50).astype(np.uint8)
    photo = np.repeat(board[..., None], 3, 2)
    picture = model.render(front, model.from_photo(photo, front, FOCAL, CENTER), FOCAL, np.zeros_like(photo))
    inside = rasterize(front, model.faces, Pinhole(FOCAL, CENTER, (SIZE, SIZE))).pixels
    difference = np.abs(picture.astype(int) - photo).reshape(-1, 3)[inside]
    assert np.median(difference) < 25  # half a texel of blur at the squares' borders; the squares differ by 150
    plain = model.unwrapped(np.full((len(rest), 3), photo.mean() / 255))
    flat = np.abs(model.render(front, plain, FOCAL, photo).astype(int) - photo).reshape(-1, 3)[inside]
    assert difference.mean() < 0.5 * flat.mean()


def test_the_colors_of_a_rendered_body_come_back_everywhere(model, front, rest):
    photo = painted(model, front, stripes(rest), np.full((SIZE, SIZE, 3), 255, np.uint8))
    texture = model.from_photo(photo, front, FOCAL, CENTER)
    error = np.abs(texture - model.unwrapped(stripes(rest)))
    assert np.median(error) < 0.02
    assert error.mean() < 0.08  # the back and what lies inside are guessed from what is near


def test_the_hidden_half_is_the_mirror_image_of_the_other(model, front, rest):
    """Seen from the right side, with a pattern that is the same on both sides, the left side is known as well."""
    turn = np.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]])
    middle = np.array([0, 0, 45.0])
    side, other = ((front - middle) @ turn.T + middle, (front - middle) @ turn + middle)
    rings = np.repeat(0.5 + 0.5 * np.sin(40 * rest[:, 1:2]), 3, 1)
    black = np.zeros((SIZE, SIZE, 3), np.uint8)
    texture = model.from_photo(painted(model, side, rings, black), side, FOCAL, CENTER)
    wanted = painted(model, other, rings, black)
    inside = rasterize(other, model.faces, Pinhole(FOCAL, CENTER, (SIZE, SIZE))).pixels
    found = model.render(other, texture, FOCAL, black)
    error = np.abs(found.astype(int) - wanted).reshape(-1, 3)[inside]
    assert np.median(error) < 15


def test_a_photo_without_the_body_is_gray(model, front):
    photo = np.zeros((SIZE, SIZE, 3), np.uint8)
    np.testing.assert_allclose(model.from_photo(photo, front + np.array([50.0, 0, 0]), FOCAL, CENTER), 0.5)


def test_the_background_stays_where_there_is_no_body(model, front, rest):
    background = np.random.default_rng(0).integers(1, 256, (SIZE, SIZE, 3), np.uint8)
    picture = model.render(front, model.unwrapped(np.zeros((len(rest), 3))), FOCAL, background)
    body = (picture == 0).all(-1)
    np.testing.assert_array_equal(picture[~body], background[~body])
    assert 0.05 < body.mean() < 0.4
