"""Conversion between joint sets: what must not change, what is derived, what is missing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose2mesh.skeletons import JointSet, convert, joint_set, joint_sets

names = st.sampled_from(sorted(joints.name for joints in joint_sets()))
seeds = st.integers(0, 2**32 - 1)


def random_pose(name: str, seed: int, batch: tuple[int, ...] = (2,)) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    count = len(joint_set(name))
    return draw.normal(size=(*batch, count, 2)), draw.uniform(0.1, 1, (*batch, count))


@given(names, seeds)
def test_to_itself_is_the_identity(name, seed):
    points, confidence = random_pose(name, seed, (2, 3))
    out, out_confidence = convert(points, confidence, name, name)
    np.testing.assert_array_equal(out, points)
    np.testing.assert_array_equal(out_confidence, confidence)


@given(names, names, seeds)
def test_flipping_before_or_after_is_the_same(source, target, seed):
    points, confidence = random_pose(source, seed)
    flip_source = list(joint_set(source).flip_permutation)
    flip_target = list(joint_set(target).flip_permutation)
    before, before_confidence = convert(points[:, flip_source], confidence[:, flip_source], source, target)
    after, after_confidence = convert(points, confidence, source, target)
    np.testing.assert_allclose(before, after[:, flip_target], atol=1e-12)
    np.testing.assert_array_equal(before_confidence, after_confidence[:, flip_target])


@given(names, names, seeds)
def test_there_and_back_keeps_every_shared_joint(source, target, seed):
    points, confidence = random_pose(source, seed)
    back, back_confidence = convert(*convert(points, confidence, source, target), target, source)
    shared = [i for i, joint in enumerate(joint_set(source).joints) if joint in joint_set(target).joints]
    np.testing.assert_array_equal(back[:, shared], points[:, shared])
    np.testing.assert_array_equal(back_confidence[:, shared], confidence[:, shared])


@given(names, names, seeds, st.floats(-3.1, 3.1))
def test_it_commutes_with_rotation(source, target, seed, angle):
    points, confidence = random_pose(source, seed)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    rotated_first, _ = convert(points @ turn, confidence, source, target)
    rotated_last = convert(points, confidence, source, target)[0] @ turn
    np.testing.assert_allclose(rotated_first, rotated_last, atol=1e-12)


def test_coco_pelvis_and_neck_are_midpoints_with_the_smaller_confidence():
    points, confidence = random_pose("coco17", 0)
    out, out_confidence = convert(points, confidence, "coco17", "coco19")
    np.testing.assert_array_equal(out[:, :17], points)
    np.testing.assert_allclose(out[:, 17], (points[:, 11] + points[:, 12]) / 2)
    np.testing.assert_allclose(out[:, 18], (points[:, 5] + points[:, 6]) / 2)
    np.testing.assert_array_equal(out_confidence[:, 17], np.minimum(confidence[:, 11], confidence[:, 12]))


def test_what_the_source_lacks_is_missing():
    points, confidence = random_pose("coco17", 0)
    out, out_confidence = convert(points, confidence, "coco17", "openpose25")
    feet = slice(19, 25)
    assert not out[:, feet].any() and not out_confidence[:, feet].any()
    assert (out_confidence[:, :19] > 0).all()


def test_a_missing_parent_makes_the_derived_joint_missing():
    points, confidence = random_pose("coco17", 0)
    confidence[:, 11] = 0  # left hip
    _, out_confidence = convert(points, confidence, "coco17", "coco19")
    assert not out_confidence[:, 17].any() and out_confidence[:, 18].all()


@pytest.mark.parametrize("source", ["body_hands59", "wholebody65", "openpose67"])
def test_knuckles_of_hands_are_those_of_mediapipe_s_body(source):
    """MediaPipe's figure of its 33 points calls them pinky #1, index #1 and thumb #2 knuckle."""
    points, confidence = random_pose(source, 0)
    out, out_confidence = convert(points, confidence, source, "mediapipe33")
    first = joint_set(source).index("right_hand_wrist")
    for joint, of_hand in ((18, 17), (20, 5), (22, 3)):  # right pinky, index, thumb; as hand21 numbers them
        np.testing.assert_array_equal(out[:, joint], points[:, first + of_hand])
        np.testing.assert_array_equal(out_confidence[:, joint], confidence[:, first + of_hand])


def test_necks_of_head_and_trunk_data_sets_are_not_taken_for_the_middle_of_the_shoulders():
    for source in ("lsp14", "aic14", "crowdpose14", "mpii16"):
        points, confidence = random_pose(source, 0)
        out, _ = convert(points, confidence, source, "coco19")
        shoulders = [joint_set(source).index(f"{side}_shoulder") for side in ("left", "right")]
        np.testing.assert_allclose(out[:, 18], points[:, shoulders].mean(1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_and_batch_axes_are_kept(dtype):
    points, confidence = random_pose("coco17", 0, (2, 1, 3))
    out, out_confidence = convert(points.astype(dtype), confidence.astype(dtype), "coco17", "coco19")
    assert out.shape == (2, 1, 3, 19, 2) and out_confidence.shape == (2, 1, 3, 19)
    assert out.dtype == out_confidence.dtype == dtype


def test_a_set_of_ones_own_works():
    own = JointSet("own", ("right_knee", "neck"), ())
    points, confidence = random_pose("coco17", 0)
    out, _ = convert(points, confidence, "coco17", own)
    np.testing.assert_array_equal(out[:, 0], points[:, 14])
    np.testing.assert_allclose(out[:, 1], points[:, 5:7].mean(1))
