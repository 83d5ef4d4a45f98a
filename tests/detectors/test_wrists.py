"""Where hands are looked for, on a stick figure with known lengths."""

import numpy as np
import pytest

from pose2mesh.detectors.wrists import contradicts, wrists_of
from pose2mesh.skeletons import COCO17, convert, joint_set
from pose2mesh.types import Keypoints2D

SCALE = 200.0  # pixels of a metre
_LEGS = (("hip", 200), ("knee", 290), ("ankle", 380))


def figure(**moved):
    """A person of 200 px a metre: shoulders 0.36 m apart, forearms of 0.26 m straight down."""
    joints = {
        **{f"{s}_shoulder": (x, 100) for s, x in (("left", 236), ("right", 164))},
        **{f"{s}_elbow": (x, 158) for s, x in (("left", 236), ("right", 164))},
        **{f"{s}_wrist": (x, 210) for s, x in (("left", 236), ("right", 164))},
        **{f"{s}_{part}": (x, y) for s, x in (("left", 220), ("right", 180)) for part, y in _LEGS},
        **{f"{s}_{part}": (200, 60) for s in ("left", "right") for part in ("eye", "ear")},
        "nose": (200, 62),
        **moved,
    }
    points, confidence = np.zeros((1, 17, 2), np.float32), np.zeros((1, 17), np.float32)
    for name, place in joints.items():
        if place is not None:
            points[0, COCO17.index(name)], confidence[0, COCO17.index(name)] = place, 1
    return Keypoints2D(points, confidence, "coco17", (400, 400))


def hand_at(x, y, size=38.0):
    return np.array([x, y]) + size * (np.stack(np.meshgrid([0, 0.5, 1], np.linspace(0, 1, 7)), -1).reshape(21, 2) - 0.5)


def test_crops_lie_beyond_the_wrists_in_the_scale_of_the_body():
    left, right = wrists_of(figure())
    assert (left.side, right.side) == ("left", "right")
    assert left.scale == pytest.approx(SCALE, rel=0.02)
    np.testing.assert_allclose(left.center, [236, 210 + 0.35 * 52], atol=0.1)
    x0, _, x1, _ = left.boxes[0]
    assert x1 - x0 == pytest.approx(0.4 * SCALE, rel=0.02) and (x0 + x1) / 2 == pytest.approx(236)
    assert left.holds(np.array([240.0, 212.0])) and not left.holds(right.point)


def test_a_foreshortened_forearm_does_not_shrink_the_crop():
    left, _ = wrists_of(figure(left_wrist=(238, 165)))
    assert left.scale == pytest.approx(SCALE, rel=0.02)


def test_missing_wrists_and_elbows():
    (right,) = wrists_of(figure(left_wrist=None, right_elbow=None))
    np.testing.assert_array_equal(right.center, right.point)
    assert list(wrists_of(Keypoints2D(np.zeros((0, 17, 2)), np.zeros((0, 17)), "coco17"))) == []


def test_knuckles_tell_where_the_hand_is():
    assert all(wrist.knuckles is None for wrist in wrists_of(figure()))
    body = figure()
    points, confidence = convert(body.points, body.confidence, "coco17", "mediapipe33")
    for finger, x in (("index", 230), ("pinky", 246)):
        row = joint_set("mediapipe33").index(f"left_{finger}")
        points[0, row], confidence[0, row] = (x, 226), 1
    left = next(iter(wrists_of(Keypoints2D(points, confidence, "mediapipe33", (400, 400)))))
    assert left.knuckles is not None
    np.testing.assert_allclose(left.knuckles.up, [2 / 260**0.5, 16 / 260**0.5], atol=1e-6)
    np.testing.assert_allclose(left.knuckles.center, [238, 226])
    assert left.knuckles.side == pytest.approx(3.2 * 260**0.5)


def test_what_cannot_be_a_hand():
    assert contradicts(figure(), hand_at(222, 395))  # a foot
    assert contradicts(figure(), hand_at(200, 240, 150))  # a leg
    assert contradicts(figure(), hand_at(210, 70))  # a face
    assert not contradicts(figure(left_wrist=(225, 80)), hand_at(210, 70))  # a hand before the face
    assert not contradicts(figure(), hand_at(236, 230))
    assert not contradicts(figure(left_wrist=(222, 360)), hand_at(222, 375))  # a hand that holds the ankle
    assert not contradicts(figure(), hand_at(600, 240, 150))  # somebody else's hand, near to the camera
    unsure = figure()
    unsure.confidence[:] *= 0.6
    assert not contradicts(unsure, hand_at(200, 240, 150))  # an arm that was taken for a body
