"""Hands by the networks alone: boxes against a dense formula, the whole against MediaPipe Hands if installed."""

import numpy as np
import pytest

from pose2mesh.detectors.palms import OVERLAP, HandNetworks, anchors, hand_region, merged, region_of_joints
from pose2mesh.detectors.regions import Region
from pose2mesh.synthesis.hand_studio import HandStudio

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; pip install 'pose2mesh[detect]'")


def _overlap(a, b):
    """Intersection over union by counting cells of a grid of integers."""
    cells = np.zeros((2, 40, 40), bool)
    for grid, (x0, y0, x1, y1) in zip(cells, (a, b), strict=True):
        grid[int(y0) : int(y1), int(x0) : int(x1)] = True
    return cells.all(0).sum() / cells.any(0).sum()


def test_boxes_that_overlap_are_one_palm():
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 20, (30, 2))
    found = np.zeros((30, 18))
    found[:, :4] = np.concatenate([corners, corners + rng.integers(3, 20, (30, 2))], -1)
    found[:, 4:] = rng.random((30, 14))
    scores = rng.random(30)
    left, expected = sorted(range(30), key=lambda i: -scores[i]), []
    while left:
        group = [i for i in left if _overlap(found[left[0], :4], found[i, :4]) > OVERLAP]
        expected.append((found[group] * scores[group, None]).sum(0) / scores[group].sum())
        left = [i for i in left if i not in group]
    np.testing.assert_allclose(merged(found, scores), expected)
    assert merged(found[:0], scores[:0]).shape == (0, 18)


def test_anchors_are_one_for_each_box_of_the_network():
    assert anchors().shape == (2016, 2)
    np.testing.assert_allclose(anchors()[:3], [[1 / 48, 1 / 48], [1 / 48, 1 / 48], [3 / 48, 1 / 48]])
    assert (anchors() > 0).all() and (anchors() < 1).all()


def test_the_region_follows_the_fingers():
    points = np.zeros((7, 2))
    points[0], points[2] = (10, 50), (10, 30)  # from the wrist up
    region = hand_region(np.array([0.0, 30.0, 20.0, 50.0]), points)
    np.testing.assert_allclose(region.center, [10, 30])
    np.testing.assert_allclose(region.up, [0, -1])
    assert region.side == pytest.approx(2.6 * 20)


def test_a_turned_hand_has_a_turned_region():
    joints = HandStudio().gesture_scene("basic", "flat", "right").truth.keypoints[:, :2].astype(float)
    upright = region_of_joints(joints)
    assert upright.up[1] < -0.9 and (np.abs(joints - upright.center) < upright.side / 2).all()
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    turned = region_of_joints(2 * joints @ turn.T + [30, -7])
    np.testing.assert_allclose(turned.center, 2 * turn @ upright.center + [30, -7])
    np.testing.assert_allclose(turned.up, turn @ upright.up)
    assert turned.side == pytest.approx(2 * upright.side)
    assert region_of_joints(np.zeros((21, 2))).side == 2  # no hand at all, and no division by zero


@pytest.mark.filterwarnings("ignore:SymbolDatabase")  # pytest undoes the package's own filter
@pytest.mark.parametrize("side", ["left", "right"])
def test_the_same_joints_as_mediapipe(side):
    """Within 2 % of the hand's box, the crops being resampled differently; and the same side."""
    solutions = pytest.importorskip("mediapipe.python.solutions.hands", reason="mediapipe is not installed")
    image = HandStudio().gesture_scene("basic", "spread", side).image
    hands = solutions.Hands(static_image_mode=True, max_num_hands=1, model_complexity=1, min_detection_confidence=0.3)
    theirs = hands.process(image)
    expected = np.array([[p.x * 512, p.y * 512] for p in theirs.multi_hand_landmarks[0].landmark])
    networks = HandNetworks()
    region, *_ = networks.palms(image, Region(np.array([256.0, 256.0]), 512.0, np.array([0.0, -1.0])), 0.3)
    points, _, right = networks.joints(image, region)[0]
    assert np.linalg.norm(points - expected, axis=-1).mean() < 0.02 * np.ptp(expected, axis=0).max()
    assert (right > 0.5) == (side == "right")
