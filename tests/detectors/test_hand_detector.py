"""The detector of hands on pictures of hands that are known exactly, and on what only looks like hands."""

import numpy as np
import pytest
import torch

from pose2mesh.body_models import load_anny_body
from pose2mesh.detectors import get_detector
from pose2mesh.detectors.blazepose import BlazePoseDetector
from pose2mesh.detectors.hands import BodyWithHandsDetector
from pose2mesh.errors import InputError
from pose2mesh.rendering.software import Pinhole
from pose2mesh.rendering.studio import render_studio
from pose2mesh.skeletons import HAND21, convert, hand_of_body
from pose2mesh.synthesis.hand_studio import HandStudio
from pose2mesh.synthesis.studio import figure_scene
from pose2mesh.types import Keypoints2D

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; pip install 'pose2mesh[detect]'")


@pytest.fixture(scope="module")
def detector():
    return get_detector("auto", "hand")


@pytest.fixture(scope="module")
def studio():
    return HandStudio()


def error(keypoints: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance of keypoints [21, 2] from the truth [21, 3], in sizes of the hand."""
    return np.linalg.norm(keypoints - truth[:, :2], axis=1).mean() / np.ptp(truth[:, :2], axis=0).max()


@pytest.mark.parametrize(("side", "yaw"), [("right", 0.0), ("left", 0.0), ("right", 180.0), ("left", 180.0)])
def test_a_hand_its_joints_and_its_side(detector, studio, side, yaw):
    scene = studio.gesture_scene("basic", "spread", side, yaw)
    found = detector.detect(scene.image)
    assert (found.joint_set, found.handedness, found.image_size) == ("hand21", (side,), (512, 512))
    assert error(found.points[0], scene.truth.keypoints) < 0.08
    assert found.confidence.min() > 0.5


@pytest.mark.parametrize(("family", "name"), [("grasps", "medium_cylinder"), ("letters", "d"), ("counting", "four")])
def test_a_hand_that_fills_the_picture(detector, studio, family, name):
    """The palm detector sees none of these; with a margin around the picture it does."""
    scene = studio.gesture_scene(family, name, "right", 40.0)
    truth = scene.truth.keypoints[:, :2]
    rim = 0.1 * np.ptp(truth, axis=0).max()
    low, high = np.clip([truth.min(0) - rim, truth.max(0) + rim], 0, 512).astype(int)
    found = detector.detect(np.ascontiguousarray(scene.image[low[1] : high[1], low[0] : high[0]]))
    assert len(found) == 1
    assert error(found.points[0], scene.truth.keypoints - [*low, 0]) < 0.12


def test_two_hands_in_one_picture(detector, studio):
    scenes = [studio.gesture_scene("basic", "flat", side) for side in ("left", "right")]
    picture = np.concatenate([scene.image for scene in scenes], axis=1)
    found = detector.detect(picture)
    assert sorted(found.handedness) == ["left", "right"]
    for i, side in enumerate(found.handedness):
        shift = 0 if side == "left" else 512
        truth = scenes[side == "right"].truth.keypoints + np.array([shift, 0, 0])
        assert error(found.points[i], truth) < 0.1


def test_an_arm_without_a_hand(detector, studio):
    vertices = studio.pose(studio.sampler.gestures[:1], torch.diag(torch.tensor([1.0, -1.0, -1.0])))
    arm = vertices.numpy()[studio.arm_vertices]
    is_hand = np.isin(studio.arm_vertices, studio.hand_vertices)
    faces = studio.arm_faces[~is_hand[studio.arm_faces].any(1)]
    middle = arm[~is_hand].mean(0)
    picture = render_studio(arm - middle + [0, 0, 0.8], faces, Pinhole(600.0, (256.0, 256.0), (512, 512)))
    assert np.ptp(picture[256].astype(int), axis=0).max() > 50  # something is there
    assert len(detector.detect(picture)) == 0


def test_hands_of_a_whole_body_are_found_at_the_wrists_and_feet_are_none(detector):
    scene = figure_scene(load_anny_body(), "stand")
    found = detector.detect(scene.image)
    assert sorted(found.handedness) == ["left", "right"]
    wrists = {side: scene.truth.keypoints[9 + (side == "right"), :2] for side in ("left", "right")}
    for points, side in zip(found.points, found.handedness, strict=True):
        assert np.linalg.norm(points[0] - wrists[side]) < 20
    people = BodyWithHandsDetector().detect(scene.image)
    assert (len(people), people.joint_set) == (1, "mediapipe75")
    body = BlazePoseDetector().detect(scene.image)  # with its feet and knuckles, as without hands
    np.testing.assert_array_equal(people.points[:, :33], body.points)
    np.testing.assert_array_equal(people.confidence[:, :33], body.confidence)
    for side in ("left", "right"):
        points, confidence = convert(people.points, people.confidence, people.joint_set, hand_of_body(side))
        assert np.linalg.norm(points[0, 0] - wrists[side]) < 20
        assert (confidence > 0).all()


def test_rtmlib_is_refused_for_hands():
    with pytest.raises(InputError, match="left hands from right"):
        get_detector("rtmlib", "hand")


def test_joints_outside_of_the_picture_are_missing():
    from pose2mesh.detectors.found_hands import Hand, to_hand_keypoints

    points = np.full((21, 2), 50.0)
    points[4] = [-3, 50]
    found = to_hand_keypoints([Hand(points, np.ones(21), 0.2)], (100, 80))
    assert isinstance(found, Keypoints2D) and found.handedness == ("left",)
    assert np.flatnonzero(found.confidence[0] == 0).tolist() == [HAND21.index("thumb4")]
