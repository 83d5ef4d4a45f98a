"""Pictures of hands: the truth lies where the picture shows it, and left is the mirror image of right."""

import numpy as np
import pytest

from pose2mesh.geometry.surface import face_normals
from pose2mesh.rendering.software import Pinhole, render
from pose2mesh.skeletons import HAND21
from pose2mesh.synthesis.hand_studio import HandStudio


@pytest.fixture(scope="module")
def studio():
    return HandStudio()


def test_left_is_the_mirror_image_of_right(studio):
    right, left = (studio.gesture_scene("counting", "two", side, 20.0) for side in ("right", "left"))
    np.testing.assert_allclose(left.truth.vertices, right.truth.vertices * [-1, 1, 1], atol=1e-6)
    shown = [picture[..., 0].astype(int) > picture[..., 2].astype(int) + 20 for picture in (left.image, right.image)]
    assert shown[0].mean() > 0.1  # the arm is warmer than the room
    assert (shown[0] != shown[1][:, ::-1]).mean() < 0.01
    assert (left.truth.handedness, right.truth.handedness) == ("left", "right")


def test_a_raised_right_hand_shows_its_palm_with_the_thumb_on_the_right(studio):
    truth = studio.gesture_scene("basic", "flat", "right").truth
    joints = dict(zip(HAND21.joints, truth.joints, strict=True))
    assert joints["middle4"][1] < joints["middle1"][1] < -0.05  # up is -y, metres from the wrist
    assert joints["index1"][0] > joints["pinky1"][0] + 0.03
    bent = studio.gesture_scene("basic", "fist", "right").truth.joints[HAND21.index("middle2")]
    assert bent[2] < joints["middle2"][2] - 0.02  # fingers bend towards the palm, which faces the camera


def test_the_mesh_is_drawn_where_the_keypoints_say(studio):
    scene = next(iter(studio.scenes(1, seed=3)))
    camera, truth = scene.truth.camera, scene.truth
    joints = truth.joints + camera.translation
    np.testing.assert_allclose(
        truth.keypoints[:, :2], camera.focal * joints[:, :2] / joints[:, 2:] + camera.center, atol=0.01
    )
    body = truth.vertices + camera.translation
    view = Pinhole(camera.focal, camera.center, (512, 512))
    covered = render(body, truth.faces, view, (1.0, 1.0, 1.0))[1] > 0
    colors = scene.image[covered].astype(int)
    is_skin = colors[:, 0] > colors[:, 2] + 10  # the room is gray and blue
    assert is_skin.mean() > 0.97
    normals = face_normals(body, truth.faces)
    assert normals[np.linalg.norm(normals, axis=1) > 0].shape == normals.shape


def test_scenes_of_workers_are_those_of_none(studio):
    for one, other in zip(studio.scenes(3, 5), studio.scenes(3, 5, workers=2), strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.truth.vertices, other.truth.vertices)


def test_scenes_are_a_function_of_the_seed(studio):
    first, again, other = (next(iter(studio.scenes(1, seed))) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.image, again.image)
    assert np.abs(first.truth.joints - other.truth.joints).max() > 0.01
