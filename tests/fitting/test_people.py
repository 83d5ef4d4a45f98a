"""People own their arrays, left hands are mirrored with their rotations, and outputs hold what was asked for."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pose2mesh.errors import FormatError, InputError
from pose2mesh.fitting.people import OUTPUTS, SEEN, answers_of, check_outputs, seen_joints
from pose2mesh.networks.prediction import BodyParameters, BodyPrediction, MeshPrediction, UncertainPrediction
from pose2mesh.skeletons import BODY32, COCO17
from pose2mesh.types import Keypoints2D

B, V, J, R = 3, 50, 17, 4


def prediction() -> BodyPrediction:
    rotations = torch.tensor(Rotation.random(B * R, rng=0).as_matrix()).view(B, R, 3, 3).float()
    return BodyPrediction(torch.randn(B, V, 3), torch.randn(B, J, 3), BodyParameters(rotations, torch.randn(B, 5)))


def owner(array: np.ndarray) -> int:
    """Bytes that the array keeps alive."""
    while array.base is not None:
        array = array.base
    return array.nbytes


def test_each_answer_owns_no_more_than_itself():
    for answer in answers_of(prediction(), np.array([False, True, False]), "mesh"):
        arrays = [answer.vertices, answer.joints, *answer.parameters.values()]
        assert [owner(array) for array in arrays] == [array.nbytes for array in arrays]


def test_a_left_hand_is_its_mirror_image_with_the_rotations_that_make_it():
    output = prediction()
    right, left = (answers_of(output, np.full(B, side), "mesh")[0] for side in (False, True))
    np.testing.assert_array_equal(left.vertices, right.vertices * [-1, 1, 1])
    np.testing.assert_array_equal(left.joints, right.joints * [-1, 1, 1])
    mirror = np.diag([-1.0, 1, 1])
    point = np.array([0.3, -0.2, 0.7])
    for turned, plain in zip(left.parameters["rotations"], right.parameters["rotations"], strict=True):
        # turning the mirrored point is mirroring the turned one; the axis goes to its mirror image, the sense reverses
        np.testing.assert_allclose(turned @ (mirror @ point), mirror @ (plain @ point), atol=1e-6)
        axis, mirrored = (Rotation.from_matrix(matrix).as_rotvec() for matrix in (plain, turned))
        np.testing.assert_allclose(mirrored, axis * [1, -1, -1], atol=1e-5)
    np.testing.assert_array_equal(left.parameters["betas"], right.parameters["betas"])


def test_outputs_hold_what_was_asked_for():
    with_parameters, without = prediction(), MeshPrediction(torch.randn(B, V, 3), torch.randn(B, J, 3))
    nobody_left = np.zeros(B, bool)
    found = {outputs: answers_of(with_parameters, nobody_left, outputs)[1] for outputs in OUTPUTS}
    assert [len(found[outputs].vertices) for outputs in OUTPUTS] == [V, 0, 0]
    assert [found[outputs].parameters is not None for outputs in OUTPUTS] == [True, True, False]
    for answer in found.values():
        np.testing.assert_array_equal(answer.joints, with_parameters.joints[1])
    assert answers_of(without, nobody_left, "joints")[0].parameters is None
    with pytest.raises(InputError, match="no body parameters"):
        answers_of(without, nobody_left, "parameters")
    with pytest.raises(InputError, match="'vertices' is none of mesh, parameters, joints"):
        check_outputs("vertices")


@pytest.mark.parametrize("part", ["vertices", "joints"])
def test_numbers_that_are_not_finite_are_bad_weights(part):
    output = prediction()
    getattr(output, part)[2, 3, 1] = torch.nan
    with pytest.raises(FormatError, match="weights are damaged"):
        answers_of(output, np.zeros(B, bool), "mesh")


def test_deviations_come_with_each_answer_and_are_none_where_the_network_tells_none():
    told = UncertainPrediction(torch.zeros(B, V, 3), torch.zeros(B, J, 3), torch.rand(B, J), prediction().parameters)
    nobody_left = np.zeros(B, bool)
    for row, answer in enumerate(answers_of(told, nobody_left, "joints")):
        np.testing.assert_array_equal(answer.deviation, told.deviation[row])
    assert answers_of(prediction(), nobody_left, "mesh")[0].deviation is None


def test_seen_are_the_joints_that_the_picture_reported_and_what_hangs_on_them():
    confidence = np.ones((1, 17))
    hidden = ("left_knee", "left_ankle", "right_wrist", "left_shoulder")
    confidence[0, [COCO17.index(name) for name in hidden]] = SEEN - 0.01
    seen = seen_joints(Keypoints2D(np.zeros((1, 17, 2)), confidence, "coco17"), BODY32.joints)[0]
    unseen = {name for name, known in zip(BODY32.joints, seen, strict=True) if not known}
    feet = {name for name in BODY32.joints if name.startswith("left_") and ("toe" in name or "heel" in name)}
    assert unseen - feet == {*hidden, "right_index", "right_pinky", "right_thumb"}
    assert feet and feet <= unseen
