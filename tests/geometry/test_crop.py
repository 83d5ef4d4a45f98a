import numpy as np
import pytest

from pose2mesh.geometry.crop import crop_image, keypoint_box, square_box


def test_keypoint_box_ignores_missing_joints():
    points = np.array([[1.0, 2], [5, -3], [900, 900]])
    assert keypoint_box(points, np.array([0.1, 1, 0])) == (1, -3, 5, 2)


def test_square_box_keeps_the_center_and_scales_the_longer_side():
    assert square_box((10, 20, 30, 60), 1.5) == (-10, 10, 50, 70)
    left, top, right, bottom = square_box((3, 3, 3, 3), 1.5)
    assert right - left == bottom - top == pytest.approx(2)


@pytest.mark.parametrize("box", [(1.5, 2.2, 6.7, 5.0), (-3, -2, 4, 4), (5, 4, 12, 13), (20, 20, 24, 24)])
def test_crop_pixels_plus_offset_are_picture_pixels(box):
    image = np.random.default_rng(0).integers(1, 255, (8, 9, 3)).astype(np.uint8)
    crop, (x, y) = crop_image(image, box)
    for row in range(crop.shape[0]):
        for column in range(crop.shape[1]):
            inside = 0 <= row + y < 8 and 0 <= column + x < 9
            expected = image[row + y, column + x] if inside else 0
            np.testing.assert_array_equal(crop[row, column], expected)
    assert x <= box[0] and x + crop.shape[1] >= box[2]
