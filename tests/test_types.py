"""The value types: projection against the matrix form, and that they stay values."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose2mesh.types import Camera, Keypoints2D, Mesh, Person

finite = st.floats(-1, 1, allow_nan=False)


def camera(focal: float = 500.0, translation=(0.0, 0.0, 3.0)) -> Camera:
    return Camera(focal, (320.0, 240.0), np.array(translation), (640, 480))


def person() -> Person:
    vertices = np.arange(12, dtype=np.float32).reshape(4, 3)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    return Person(vertices, faces, vertices[:1], ("pelvis",), np.ones((1, 3), np.float32))


@given(st.floats(50, 5000), st.tuples(finite, finite, st.floats(2, 10)), st.integers(0, 2**32 - 1))
def test_projection_equals_the_homogeneous_matrix_form(focal, translation, seed):
    points = np.random.default_rng(seed).uniform(-1, 1, (2, 5, 3))  # [2, N, 3]
    intrinsics = np.array([[focal, 0, 320], [0, focal, 240], [0, 0, 1]])
    extrinsics = np.column_stack([np.eye(3), translation])  # [3, 4]
    homogeneous = np.concatenate([points, np.ones((2, 5, 1))], -1) @ (intrinsics @ extrinsics).T
    expected = homogeneous[..., :2] / homogeneous[..., 2:]
    np.testing.assert_allclose(camera(focal, translation).project(points), expected, rtol=1e-9, atol=1e-9)


def test_axes_are_right_down_and_forward():
    right_down = camera().project(np.array([0.3, 0.3, 0.0], np.float32))
    assert right_down[0] > 320 and right_down[1] > 240
    near, far = camera().project(np.array([[0.3, 0.0, -1.0], [0.3, 0.0, 1.0]]))
    assert near[0] > far[0] > 320


def test_values_are_frozen():
    for value in (camera(), person(), Mesh(np.zeros((3, 3)), np.zeros((1, 3), np.int32))):
        name = dataclasses.fields(value)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, name, None)


def test_a_person_gives_its_mesh():
    value = person()
    assert value.mesh.vertices is value.vertices and value.mesh.faces is value.faces


def test_keypoints_count_people():
    keypoints = Keypoints2D(np.zeros((3, 17, 2), np.float32), np.ones((3, 17), np.float32), "coco17")
    assert len(keypoints) == 3
