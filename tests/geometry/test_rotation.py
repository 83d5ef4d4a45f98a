import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from pose2mesh.geometry.rotation import rot6d_to_rotmat, rotmat_to_rot6d, rotmat_to_rotvec, rotvec_to_rotmat

ANGLES = [0.0, 1e-9, 1e-5, 9.9e-3, 1.01e-2, 0.5, 2.0, 3.0, np.pi - 1e-3, np.pi - 1e-7]
TOLERANCE = {torch.float32: 2e-6, torch.float64: 1e-12}


def random_axes(count: int) -> np.ndarray:
    axes = np.random.default_rng(0).standard_normal((count, 3))
    axes = np.concatenate([axes, np.eye(3), -np.eye(3)])  # coordinate axes make rows of the quaternion vanish
    return axes / np.linalg.norm(axes, axis=-1, keepdims=True)


@pytest.mark.parametrize("angle", [*ANGLES, np.pi, 5.0])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_rotvec_to_rotmat_matches_scipy(angle, dtype):
    rotvec = angle * random_axes(20)
    rotmat = rotvec_to_rotmat(torch.from_numpy(rotvec).to(dtype))
    np.testing.assert_allclose(rotmat.numpy(), Rotation.from_rotvec(rotvec).as_matrix(), atol=TOLERANCE[dtype])


@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_rotmat_to_rotvec_matches_scipy(angle, dtype):
    rotation = Rotation.from_rotvec(angle * random_axes(20))
    rotvec = rotmat_to_rotvec(torch.from_numpy(rotation.as_matrix()).to(dtype)).double().numpy()
    # compared as rotations: beyond rounding from π the sign of the axis is open
    difference = (Rotation.from_rotvec(rotvec) * rotation.inv()).magnitude()
    np.testing.assert_allclose(difference, 0, atol=2 * TOLERANCE[dtype])
    np.testing.assert_allclose(np.linalg.norm(rotvec, axis=-1), angle, atol=2 * TOLERANCE[dtype])


def test_half_turns_are_exact():
    axes = random_axes(20)
    rotmat = torch.from_numpy(2 * axes[:, :, None] * axes[:, None, :] - np.eye(3))
    rotvec = rotmat_to_rotvec(rotmat).numpy()
    np.testing.assert_allclose(np.linalg.norm(rotvec, axis=-1), np.pi, atol=1e-12)
    np.testing.assert_allclose(np.abs((rotvec * axes).sum(-1)), np.pi, atol=1e-12)


@pytest.mark.parametrize("angle", ANGLES[:-1])
def test_rotvec_round_trip_has_the_identity_as_gradient(angle):
    rotvec = torch.from_numpy(angle * random_axes(3)[0]).requires_grad_()
    jacobian = torch.autograd.functional.jacobian(lambda r: rotmat_to_rotvec(rotvec_to_rotmat(r)), rotvec)
    torch.testing.assert_close(jacobian, torch.eye(3, dtype=torch.float64), rtol=0, atol=1e-6)


@pytest.mark.parametrize("angle", [0.0, 1e-4, 0.3, 3.1])
def test_gradcheck(angle):
    rotvec = torch.from_numpy(angle * random_axes(1)[:2]).requires_grad_()
    assert torch.autograd.gradcheck(rotvec_to_rotmat, (rotvec,))


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_gradients_are_finite_at_zero(dtype):
    rotvec = torch.zeros(2, 3, dtype=dtype, requires_grad=True)
    rotvec_to_rotmat(rotvec).pow(3).sum().backward()
    rotmat = torch.eye(3, dtype=dtype).requires_grad_()
    rotmat_to_rotvec(rotmat).sum().backward()
    rot6d = torch.zeros(6, dtype=dtype, requires_grad=True)
    rot6d_to_rotmat(rot6d).sum().backward()
    for tensor in (rotvec, rotmat, rot6d):
        assert tensor.grad.isfinite().all()


@given(arrays(np.float64, (4, 6), elements=st.floats(-10, 10)))
def test_rot6d_gives_proper_rotations(rot6d):
    first, second = rot6d[:, :3], rot6d[:, 3:]
    independent = np.linalg.norm(np.cross(first, second), axis=-1) > 1e-3
    rotmat = rot6d_to_rotmat(torch.from_numpy(rot6d)).numpy()
    assert np.isfinite(rotmat).all()
    proper = rotmat[independent]
    np.testing.assert_allclose(proper @ proper.transpose(0, 2, 1), np.broadcast_to(np.eye(3), proper.shape), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(proper), 1, atol=1e-9)
    # the first column keeps its direction and the second stays in the plane of the two
    aligned = (proper[:, :, 0] * first[independent]).sum(-1)
    np.testing.assert_allclose(aligned, np.linalg.norm(first[independent], axis=-1), rtol=1e-9)


def test_rot6d_of_a_rotation_returns_it_with_leading_axes():
    rotmat = torch.from_numpy(Rotation.random(6, rng=np.random.default_rng(0)).as_matrix()).view(2, 3, 3, 3)
    rot6d = rotmat_to_rot6d(rotmat)
    assert rot6d.shape == (2, 3, 6)
    torch.testing.assert_close(rot6d[..., :3], rotmat[..., :, 0])
    torch.testing.assert_close(rot6d_to_rotmat(rot6d), rotmat)
    torch.testing.assert_close(rotvec_to_rotmat(rotmat_to_rotvec(rotmat)), rotmat)
