"""Turned crops: their corners, and pixels that tell where they are from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose2mesh.detectors.regions import Region

angles = st.floats(0, 2 * np.pi)


def _region(x, y, side, angle):
    return Region(np.array([x, y]), side, np.array([np.sin(angle), -np.cos(angle)]))


@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(1, 1000), angles)
def test_a_region_is_a_square_around_its_center(x, y, side, angle):
    region = _region(x, y, side, angle)
    corners = region.to_picture(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]))
    np.testing.assert_allclose(np.linalg.norm(np.diff(corners, axis=0), axis=1), side, rtol=1e-9)
    np.testing.assert_allclose(region.to_picture(np.array([0.5, 0.5])), [x, y], atol=1e-9)
    top = region.to_picture(np.array([0.5, 0.0])) - region.center
    np.testing.assert_allclose(top, region.up * side / 2, atol=1e-6)


@pytest.mark.parametrize("angle", [0.0, 0.5, np.pi / 2, 2.5])
@pytest.mark.parametrize(("side", "size"), [(40.0, 32), (64.0, 32), (180.0, 32), (180.0, 8)])
def test_pixels_are_those_of_their_place(angle, side, size):
    y, x = np.mgrid[:256, :256]
    image = np.stack([x, y, np.zeros_like(x)], -1).astype(np.uint8)  # a pixel (i, j) covers [i, i+1] x [j, j+1]
    region = _region(128.0, 120.0, side, angle)
    crop = region.cut(image, size) * 255
    centers = (np.stack(np.meshgrid(np.arange(size), np.arange(size)), -1) + 0.5) / size  # [size, size, 2]
    expected = region.to_picture(centers) - 0.5
    np.testing.assert_allclose(crop[2:-2, 2:-2, :2], expected[2:-2, 2:-2], atol=1.6)


def test_outside_is_black():
    white = np.full((20, 30, 3), 255, np.uint8)
    assert _region(500.0, 500.0, 40, 0.3).cut(white, 16).max() == 0
    half = _region(0.0, 10.0, 10, 0.0).cut(white, 16)
    assert half[:, :7].max() == 0 and half[:, 9:].min() > 0.99
