"""The one rule of what numbers mean: seen or missing, pixels or fractions, confidence or depth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose2mesh.detectors.readers.meaning import LARGEST_SCORE, in_pixels
from pose2mesh.errors import InputError

JOINTS = tuple("abcdef")
SIZE = (1280, 720)
UNITS = ["pixels or fractions", "pixels, fractions or -1..1", "pixels or fractions of a canvas"]
seeds = st.integers(0, 2**32 - 1)


def people(seed: int, count: int = 2) -> np.ndarray:
    """People [P, 6, 3] somewhere in the picture, every score in [0.1, 1]."""
    draw = np.random.default_rng(seed)
    return draw.uniform([3, 3, 0.1], [*SIZE, 1], (count, len(JOINTS), 3))


@given(seeds, st.sampled_from(UNITS))
def test_pixels_stay_as_they_are_whatever_the_size_of_the_picture(seed, unit):
    values = people(seed)
    for size in (None, SIZE):
        points, confidence = in_pixels(values, "x", JOINTS, size, unit=unit)
        np.testing.assert_array_equal(points, values[..., :2])
        np.testing.assert_array_equal(confidence, values[..., 2].astype(np.float32))


@given(seeds, st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5)), max_size=6), st.floats(-100, -1e-3))
def test_the_corner_and_negative_pairs_are_missing_whatever_their_score(seed, missing, outside):
    values = people(seed)
    expected = np.ones((2, 6))
    for i, (person, joint) in enumerate(missing):
        values[person, joint, :2] = [(0, 0), (-1, -1), (outside, outside / 2)][i % 3]
        expected[person, joint] = 0
    points, confidence = in_pixels(values, "x", JOINTS, None)
    np.testing.assert_array_equal(confidence > 0, expected > 0)
    np.testing.assert_array_equal(points, values[..., :2] * expected[..., None])
    np.testing.assert_array_equal(confidence, in_pixels(values, "x", JOINTS, None, scored=False)[1])


def test_a_joint_beside_the_picture_is_seen():
    values = people(0)
    values[0, 0, :2] = -5, 300
    assert in_pixels(values, "x", JOINTS, None)[1][0, 0] > 0


@given(seeds, st.sampled_from(UNITS), st.booleans())
def test_fractions_of_the_corner_are_scaled_and_missing_ones_stay_zero(seed, unit, two_columns):
    values = people(seed)
    values[0, 2, :2] = 0
    values[1, 3, :2] = -1
    fractions = values / [*SIZE, 1]
    fractions[1, 3, :2] = -1
    given_ = fractions[..., :2] if two_columns else fractions
    points, confidence = in_pixels(given_, "x", JOINTS, SIZE, unit=unit)
    expected, seen = in_pixels(values, "x", JOINTS, None)
    np.testing.assert_allclose(points, expected, rtol=1e-12)
    np.testing.assert_array_equal(confidence > 0, seen > 0)
    with pytest.raises(InputError, match="give --image-size WxH"):
        in_pixels(given_, "x", JOINTS, None, unit=unit)


@given(seeds)
def test_fractions_of_the_middle_are_scaled_where_the_format_has_them_and_refused_elsewhere(seed):
    values = people(seed)
    values[0, 0, :2] = 100, 700  # left of the middle, below it
    middle = values / np.array([*SIZE, 2]) * 2 - [1, 1, 0]
    points, _ = in_pixels(middle, "x", JOINTS, SIZE, unit="pixels, fractions or -1..1")
    np.testing.assert_allclose(points, values[..., :2], rtol=1e-9)
    with pytest.raises(InputError, match="its corner or its middle"):
        in_pixels(middle, "x", JOINTS, SIZE)


def test_a_format_of_fractions_may_leave_the_picture():
    values = people(0) / [*SIZE, 1]
    values[0, 0, 1] = 4.5  # an ankle that a landmark model guesses far below
    points, _ = in_pixels(values, "x", JOINTS, SIZE, unit="fractions")
    np.testing.assert_allclose(points, values[..., :2] * SIZE)


@given(seeds, st.one_of(st.floats(-1e6, -1e-3), st.floats(1.01, 1e6)))
def test_a_column_that_leaves_0_to_1_is_depth_unless_the_format_promises_scores(seed, depth):
    values = people(seed)
    values[0, 1, 2] = depth
    with pytest.raises(InputError, match="joints in 3D are not taken"):
        in_pixels(values, "x", JOINTS, None, scored=False)
    if abs(depth) > LARGEST_SCORE:
        with pytest.raises(InputError, match="per cent or depth"):
            in_pixels(values, "x", JOINTS, None)
    else:
        assert in_pixels(values, "x", JOINTS, None)[1][0, 1] == (1 if depth > 0 else 0)


@given(seeds)
def test_flags_of_annotators_are_no_depth(seed):
    values = people(seed)
    values[..., 2] = np.random.default_rng(seed).integers(0, 3, (2, 6))
    _, confidence = in_pixels(values, "x", JOINTS, None, scored=False)
    np.testing.assert_array_equal(confidence, np.minimum(values[..., 2], 1))


def test_places_that_are_taken_as_missing_are_told(caplog):
    values = np.array([[[-5.0, -3, 1], [-1, -1, 1], [-9, -9, 1], [-5, -3, 0], [-5, 30, 1], [100, 200, 1]]])
    _, confidence = in_pixels(values, "a", tuple("abcdef"), None)
    assert confidence.tolist() == [[0, 0, 0, 0, 1, 1]]
    assert len(caplog.messages) == 1 and caplog.messages[0].startswith("a: 1 joints with both coordinates negative")
    in_pixels(values[:, 1:], "a", tuple("bcdef"), None)
    assert len(caplog.messages) == 1
