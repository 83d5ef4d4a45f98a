"""Scenes whose truth is known, also where others stand before it."""

import numpy as np
import pytest

from pose2mesh.body_models import load_anny_body
from pose2mesh.detectors.other_packages import MediaPipeDetector
from pose2mesh.errors import MissingFileError
from pose2mesh.skeletons import joint_set
from tools.studies.harder_loop import HardScenes, compare


@pytest.fixture(scope="module")
def scenes() -> HardScenes:
    try:
        return HardScenes(load_anny_body(), "mocap2_val.npz", seed=3)
    except MissingFileError as error:
        pytest.skip(str(error))


@pytest.mark.data
def test_a_scene_is_a_function_of_seed_and_number(scenes):
    one, again, other = scenes.scene(1), scenes.scene(1), scenes.scene(2)
    assert np.array_equal(one.image, again.image) and np.array_equal(one.truth.vertices, again.truth.vertices)
    assert not np.array_equal(one.image, other.image)


@pytest.mark.data
def test_the_mask_is_where_the_camera_sees_the_truth(scenes):
    for row in range(3):
        scene = scenes.scene(row)
        pixels = scene.truth.camera.project(scene.truth.vertices)  # [V, 2]
        low, high = pixels.min(0), pixels.max(0)
        y, x = np.nonzero(scene.mask)
        assert low[0] - 1 <= x.min() and x.max() <= high[0] + 1 and low[1] - 1 <= y.min() and y.max() <= high[1] + 1
        seen = scene.truth.keypoints[:, 2] > 0
        assert (
            np.all((scene.truth.keypoints[:, :2] >= 0) & (scene.truth.keypoints[:, :2] < 512), axis=1) == seen
        ).all()


@pytest.mark.data
def test_the_truth_has_no_error_and_flat_joints_have_one(scenes):
    scene = scenes.scene(1)

    class Told(MediaPipeDetector):
        def __init__(self) -> None:
            pass

        def landmarks(self, image):
            return points, points3d

    names, ours = joint_set("mediapipe33").joints, scene.truth.joint_names
    points, points3d = np.zeros((33, 3)), np.zeros((33, 3))
    for row, name in enumerate(names):
        if name in ours[:17]:
            points[row, :2] = scene.truth.keypoints[ours.index(name), :2]
            points3d[row] = scene.truth.joints[ours.index(name)]
    errors = compare(scene, scene.truth, Told())
    assert errors is not None
    assert errors["pose2mesh"] < 1e-3 and errors["mediapipe"] < 1e-3 < 20 < errors["flat"]
    points += 400
    assert compare(scene, scene.truth, Told()) is None  # somebody else
