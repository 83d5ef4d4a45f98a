"""Hands on bodies: nothing changes for the body's own hand, a turned hand is found again, and no step is left."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pose2mesh.body_models import body_vertices, load_anny_body, load_hand_body
from pose2mesh.fitting.hand_attachment import attach_hand, find_arms, twist_about
from pose2mesh.geometry.surface import edges_from_faces

BODY = load_anny_body()
TEMPLATE = BODY.v_template.numpy()  # [V, 3]
ARMS = find_arms(BODY, load_hand_body())
TURN = Rotation.from_rotvec(np.deg2rad([30, 50, -20]))


def own_hand(side: str, turn: Rotation | None = None, scale: float = 1.0) -> np.ndarray:
    """The template's own hand in the rows of the hand's mesh [V_hand, 3], turned, scaled and put elsewhere."""
    arm = ARMS[side]
    hand = np.zeros((len(body_vertices()), 3))
    skin = TEMPLATE[arm.ids].astype(np.float64)
    hand[arm.rows] = scale * (skin if turn is None else turn.apply(skin)) + [3, 1, 2]
    return hand


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_bodys_own_hand_changes_nothing(side):
    attached = attach_hand(TEMPLATE, own_hand(side, scale=1.3), ARMS[side])
    np.testing.assert_allclose(attached, TEMPLATE, atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_turned_hand_turns_about_the_wrist(side):
    arm = ARMS[side]
    attached = attach_hand(TEMPLATE, own_hand(side, TURN, scale=0.8), arm)
    wrist = arm.wrist @ TEMPLATE
    expected = wrist + TURN.apply(TEMPLATE - wrist)
    is_hand = arm.hand_share > 0.9999
    np.testing.assert_allclose(attached[is_hand], expected[is_hand], atol=1e-4)
    np.testing.assert_allclose(attached[arm.arm_share == 0], TEMPLATE[arm.arm_share == 0], atol=1e-7)


def test_left_is_the_mirror_image_of_right():
    mirror = np.array([-1.0, 1.0, 1.0])
    right = attach_hand(TEMPLATE, own_hand("right", TURN), ARMS["right"])
    hand = own_hand("right", TURN) * mirror
    left = attach_hand(TEMPLATE, hand, ARMS["left"])
    np.testing.assert_allclose(left[ARMS["left"].ids], right[ARMS["right"].ids] * mirror, atol=1e-4)


@pytest.mark.parametrize("degrees", [45, 90, 135])
def test_a_twist_is_spread_over_the_forearm(degrees):
    """No edge of the arm grows by more than half, and no neighbors are turned apart: there is no step."""
    arm = ARMS["right"]
    axis = arm.wrist @ TEMPLATE - arm.elbow @ TEMPLATE
    twist = Rotation.from_rotvec(np.deg2rad(degrees) * axis / np.linalg.norm(axis))
    attached = attach_hand(TEMPLATE, own_hand("right", twist), arm)
    edges = edges_from_faces(BODY.faces.numpy())
    edges = edges[(arm.arm_share[edges] > 0.5).all(1)]
    before, after = (np.linalg.norm(v[edges[:, 0]] - v[edges[:, 1]], axis=1) for v in (TEMPLATE, attached))
    assert (after / before).max() < 1.5
    assert np.abs(attached - TEMPLATE).max() > 0.02


def test_twist_against_scipy():
    axis = np.array([0.0, 0.6, 0.8])
    swing = Rotation.from_rotvec(0.7 * np.array([1.0, 0.0, 0.0]))
    for angle in (-2.5, -0.3, 0.0, 1.2, 3.0):
        twist = Rotation.from_rotvec(angle * axis)
        assert twist_about(axis, twist.as_matrix()) == pytest.approx(angle, abs=1e-9)
        assert twist_about(axis, (swing * twist).as_matrix()) == pytest.approx(angle, abs=1e-9)
