"""A second opinion on the joints of people in pictures."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from pose2mesh.augmentation.figures import FIGURES
from pose2mesh.body_models import load_anny_body
from pose2mesh.detectors.blazepose import BlazePoseDetector
from pose2mesh.detectors.finder import find_people
from pose2mesh.detectors.opinion import LEGS, MARGIN, SHARE, SIDE, reconsidered
from pose2mesh.detectors.people import Found
from pose2mesh.detectors.sessions import load_session
from pose2mesh.skeletons import COCO17, MEDIAPIPE33, convert
from pose2mesh.synthesis.studio import figure_scene

IMAGE = np.zeros((400, 400, 3), np.uint8)
ORIGINAL = np.array(
    json.loads((Path(__file__).parent / "original_outputs.json").read_text())["movenet_thunder"]["joints"]
)


def person() -> Found:
    """Joints of MediaPipe's in a picture of 400 px, a head taller than wide."""
    rng = np.random.default_rng(0)
    joints = np.column_stack([rng.uniform(150, 250, 33), rng.uniform(50, 350, 33), np.ones(33)])
    return Found(joints)


def coco(joints: np.ndarray) -> np.ndarray:
    return convert(joints[:, :2], joints[:, 2], MEDIAPIPE33, COCO17)[0]  # [17, 2]


class Says:
    """A network that sees the person's joints moved by so many pixels, with a score."""

    def __init__(self, found: Found, moved: tuple[float, float], score: float = 1.0):
        points = coco(found.joints)  # [17, 2]
        low, high = points.min(0), points.max(0)
        shares = (points + moved - (low + high) / 2) / (MARGIN * (high - low).max()) + 0.5  # of the crop
        self.joints = np.column_stack([shares[:, ::-1], np.full(17, score)])[None, None]

    def __call__(self, crop: np.ndarray) -> list[np.ndarray]:
        assert crop.shape == (1, SIDE, SIDE, 3) and crop.dtype == np.int32
        return [self.joints]


def test_the_network_is_its_original():
    """TensorFlow's answer to the photographer at half the size: 17 joints as y, x (shares of the sides) and score."""
    camera = pytest.importorskip("skimage.data", reason="scikit-image is not installed").camera()
    picture = np.repeat(camera[None, ::2, ::2, None], 3, -1).astype(np.int32)  # [1, 256, 256, 3]
    (joints,) = load_session("movenet_thunder")(picture)  # [1, 1, 17, 3]
    np.testing.assert_allclose(joints[0, 0, :, :2], ORIGINAL[:, :2], atol=5e-3)
    np.testing.assert_allclose(joints[0, 0, :, 2], ORIGINAL[:, 2], atol=0.06)


@pytest.mark.parametrize(("score", "share"), [(1.0, 1.0), (0.385, 0.5), (0.0, 0.0)])
def test_joints_move_towards_it_as_far_as_it_is_sure(score, share):
    before = person()
    moves = (reconsidered(Says(before, (8.0, -4.0), score), IMAGE, before).joints - before.joints)[:, :2]
    for joint, of in [("left_elbow", SHARE), ("nose", SHARE), ("left_index", SHARE), ("right_knee", SHARE * LEGS)]:
        np.testing.assert_allclose(moves[MEDIAPIPE33.index(joint)], np.array([8, -4]) * of * share, atol=1e-6)
    heel, ankle = (moves[MEDIAPIPE33.index(f"left_{joint}")] for joint in ("heel", "ankle"))
    np.testing.assert_array_equal(heel, ankle)  # a foot goes with its ankle
    assert not moves[MEDIAPIPE33.index("left_mouth")].any()


def test_of_somebody_else():
    before = person()
    assert reconsidered(Says(before, (300.0, 0.0)), IMAGE, before) is before


def test_joints_of_known_bodies_are_nearer():
    """Rendered figures, exact truth: all joints in shares of the person, with the opinion and without."""
    detector, body, errors = BlazePoseDetector(), load_anny_body(), []
    for name, yaw in product(FIGURES, (-40, 0, 40)):
        scene = figure_scene(body, name, yaw)
        (alone,) = detector.confirm(scene.image, find_people(detector.finder, scene.image))
        both = reconsidered(load_session("movenet_thunder"), scene.image, alone)
        truth = scene.truth.keypoints[:, :2]
        apart = [np.linalg.norm(coco(found.joints) - truth, axis=1).mean() for found in (alone, both)]
        errors.append(np.array(apart) / np.ptp(truth, axis=0).max())
    alone, both = np.mean(errors, 0)
    assert both < 0.97 * alone
