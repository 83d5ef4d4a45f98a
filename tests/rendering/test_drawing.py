from dataclasses import replace

import numpy as np
import pytest

from pose2mesh.errors import InputError
from pose2mesh.rendering import bones_of, draw_keypoints
from pose2mesh.skeletons import COCO17
from pose2mesh.types import Person


def _gray(height: int = 60, width: int = 80) -> np.ndarray:
    return np.full((height, width, 3), 90, np.uint8)


def test_bones_and_joints_are_drawn_where_they_are():
    keypoints = np.array([[10.5, 30.5, 1.0], [60.5, 30.5, 1.0]])
    picture = draw_keypoints(_gray(), keypoints, [(0, 1)])
    assert (picture[30, 10] == 255).all()  # a white joint
    assert picture[30, 35, 0] == 255  # the first bone is red
    assert picture[30, 35, 1] < 90
    changed = np.argwhere((picture != 90).any(axis=-1))
    assert changed[:, 0].min() >= 28
    assert changed[:, 0].max() <= 32
    assert changed[:, 1].min() >= 7
    assert changed[:, 1].max() <= 63


def test_slanted_bones_have_smooth_edges():
    picture = draw_keypoints(_gray(), np.array([[10, 10, 1.0], [70, 50, 1.0]]), [(0, 1)])
    across = picture[20:40, 40, 1]  # green falls from the photo's 90 to the bone's 64 in steps
    assert len(np.unique(across)) >= 4


@pytest.mark.parametrize("missing", [[40, 50, 0.0], [np.nan, np.nan, 0.0], [np.nan, 5, 1.0], [5, np.inf, 1.0]])
def test_missing_joints_and_their_bones_are_left_out(missing):
    seen = [20, 20, 0.9]
    picture = draw_keypoints(_gray(), np.array([seen, missing]), [(0, 1)])
    np.testing.assert_array_equal(picture, draw_keypoints(_gray(), np.array([seen]), []))


def test_small_people_get_thin_bones():
    widths = []
    for length in (40, 400):
        picture = draw_keypoints(_gray(600, 800), np.array([[100, 300, 1.0], [100 + length, 300, 1.0]]), [(0, 1)])
        widths.append((picture[:, 100 + length // 2] != 90).any(axis=-1).sum())
    assert widths[0] <= 4 < widths[1]


def test_joints_outside_of_the_picture_do_no_harm():
    far = np.array([[-500, -900, 1.0], [40, 30, 1.0], [1e7, 30, 1.0]])
    picture = draw_keypoints(_gray(), far, [(0, 1), (1, 2)])
    assert picture.shape == (60, 80, 3)
    assert (picture[30, 60] != 90).any()


def test_the_input_is_kept():
    image = _gray()
    draw_keypoints(image, np.array([[40, 30, 1.0]]), [])
    assert (image == 90).all()


def test_malformed_keypoints_are_refused():
    with pytest.raises(InputError, match=r"\[J, 3\]"):
        draw_keypoints(_gray(), np.zeros((17, 2)), [])
    with pytest.raises(InputError, match="beyond the 3 keypoints"):
        draw_keypoints(_gray(), np.ones((3, 3)), [(0, 3)])
    with pytest.raises(InputError, match="empty"):
        draw_keypoints(np.zeros((0, 5, 3), np.uint8), np.ones((3, 3)), [])


def test_bones_are_those_of_the_joint_set_with_these_names():
    nothing = np.zeros((0, 3))
    person = Person(nothing, nothing, nothing, (), np.zeros((17, 3)))
    assert bones_of(replace(person, keypoint_names=COCO17.joints)) == COCO17.bone_indices
    assert bones_of(person) == ()
