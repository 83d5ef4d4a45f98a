"""Colors of the vertices: made-up clothes are where clothes are, and what is not known is completed."""

import numpy as np
import pytest

from pose2mesh.adaptation.image_synthesis import add_pixel_noise, fill_hole
from pose2mesh.body_models import load_anny_body
from pose2mesh.rendering.textures import VertexColors


@pytest.fixture(scope="module")
def model() -> VertexColors:
    return VertexColors(load_anny_body())


def test_mirroring_is_its_own_inverse_for_nearly_all_vertices(model):
    back = model.mirror[model.mirror]
    assert (back == np.arange(len(back))).mean() > 0.99


def test_the_mirror_partner_is_copied(model):
    seen = model.rest[:, 0] > 0.01
    colors = np.where(seen[:, None], np.random.default_rng(0).random((len(seen), 3)), 0.5)
    out = model.complete(colors, seen)
    partner = ~seen & seen[model.mirror]
    assert partner.sum() > 5000
    np.testing.assert_array_equal(out[partner], colors[model.mirror[partner]])
    np.testing.assert_array_equal(out[seen], colors[seen])


def test_static_textures_differ_and_have_five_colors(model):
    rng = np.random.default_rng(0)
    first, second = model.static(rng), model.static(rng)
    assert len(np.unique(first, axis=0)) == 5
    assert not np.array_equal(first, second)
    assert first.min() >= 0
    assert first.max() <= 1


def test_hair_is_on_the_back_of_the_head_and_the_face_is_bare(model):
    hair = model.rest[model.parts == "hair"]  # [N, 3]
    back = (model.rest[:, 1] > hair[:, 1].min()) & (model.rest[:, 2] < hair[:, 2].min() + 0.03)
    assert (model.parts[back] == "hair").all() and back.sum() > 20
    front = model.rest[:, 2] > model.rest[model.parts == "hair", 2].max()
    assert (model.parts[front] != "hair").all() and front.any()


def test_a_hole_is_filled_with_its_surroundings():
    image = np.full((60, 60, 3), 200, np.uint8)
    mask = np.zeros((60, 60), bool)
    mask[20:40, 20:40] = True
    image[mask] = 0
    filled = fill_hole(image, mask)
    assert (filled == 200).all()
    assert np.array_equal(fill_hole(image, np.zeros_like(mask)), image)


def test_pixel_noise_scales_channels():
    image = np.full((4, 4, 3), 100, np.uint8)
    out = add_pixel_noise(image, 0.4, np.random.default_rng(0))
    assert len(np.unique(out.reshape(-1, 3), axis=0)) == 1
    assert ((out >= 60) & (out <= 140)).all()
    assert np.array_equal(add_pixel_noise(image, 0.0, np.random.default_rng(0)), image)
