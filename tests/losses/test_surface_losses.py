import numpy as np
import pytest
import torch
import trimesh

from pose2mesh.geometry.rotation import rotvec_to_rotmat
from pose2mesh.losses import edge_loss, normal_loss

SPHERE = trimesh.creation.icosphere(subdivisions=1, radius=0.1)
FACES = torch.from_numpy(np.asarray(SPHERE.faces, np.int64).copy())


def spheres(noise: float = 0.0, batch: int = 2) -> torch.Tensor:
    vertices = torch.from_numpy(np.asarray(SPHERE.vertices)).expand(batch, -1, -1)
    return vertices + noise * torch.randn(vertices.shape, dtype=torch.float64)


def test_edge_loss_matches_trimesh():
    pred, target = spheres(0.01), spheres()
    meshes = [trimesh.Trimesh(v.numpy(), FACES.numpy(), process=False) for v in (*pred, *target)]
    lengths = np.stack([mesh.edges_unique_length for mesh in meshes])  # closed: each edge has two faces
    expected = np.abs(lengths[:2] - lengths[2:]).mean()
    np.testing.assert_allclose(edge_loss(pred, target, FACES).item(), expected, rtol=1e-5)


def test_normal_loss_matches_trimesh_normals():
    pred, target = spheres(0.01), spheres(0.01)
    cosines = []
    for p, t in zip(pred.numpy(), target.numpy(), strict=True):
        normals = trimesh.Trimesh(t, FACES.numpy(), process=False).face_normals  # [F, 3]
        for face, normal in zip(FACES.numpy(), normals, strict=True):
            for i, j in ((0, 1), (1, 2), (2, 0)):
                edge = p[face[j]] - p[face[i]]
                cosines.append(abs(edge @ normal) / np.linalg.norm(edge))
    np.testing.assert_allclose(normal_loss(pred, target, FACES).item(), np.mean(cosines), rtol=1e-6)


def test_both_vanish_for_the_same_surface():
    assert edge_loss(spheres(), spheres(), FACES) == 0
    assert normal_loss(spheres(), spheres(), FACES) < 1e-12


def test_the_edge_loss_sees_size_and_the_normal_loss_does_not():
    doubled = edge_loss(2 * spheres(), spheres(), FACES).item()
    np.testing.assert_allclose(doubled, SPHERE.edges_unique_length.mean(), rtol=1e-6)
    assert normal_loss(2 * spheres(), spheres(), FACES) < 1e-12


def test_the_edge_loss_ignores_pose_and_the_normal_loss_does_not():
    rotmat = rotvec_to_rotmat(torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64))
    moved = spheres() @ rotmat.T + 1
    assert edge_loss(moved, spheres(), FACES) < 1e-12
    assert normal_loss(moved, spheres(), FACES) > 0.1


@pytest.mark.parametrize("loss", [edge_loss, normal_loss])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_finite_for_a_collapsed_mesh(loss, dtype):
    pred = torch.zeros(2, len(SPHERE.vertices), 3, dtype=dtype, requires_grad=True)
    loss(pred, spheres().to(dtype), FACES).backward()
    assert pred.grad.isfinite().all()
    assert loss(spheres().to(dtype), torch.zeros_like(pred), FACES).isfinite()


def test_the_slope_of_the_edge_loss_is_at_most_one_per_edge():
    pred = (1e-7 * spheres(0.1)).requires_grad_()
    edge_loss(pred, spheres(), FACES).backward()
    per_edge = 1 / (2 * FACES.numel())
    degree = torch.bincount(FACES.flatten()).max() * 2  # each face at a vertex adds two edges
    assert pred.grad.norm(dim=-1).max() <= degree * per_edge


@pytest.mark.parametrize("loss", [edge_loss, normal_loss])
def test_gradcheck(loss):
    target = spheres()
    pred = spheres(0.01).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: loss(p, target, FACES), (pred,))


@pytest.mark.parametrize("loss", [edge_loss, normal_loss])
def test_invalid_samples_are_left_out(loss):
    pred, target = spheres(0.01, 3).requires_grad_(), spheres(0.01, 3)
    target[1] = float("nan")
    value = loss(pred, target, FACES, torch.tensor([True, False, True]))
    torch.testing.assert_close(value, loss(pred[::2], target[::2], FACES))
    value.backward()
    assert (pred.grad[1] == 0).all() and pred.grad[0].abs().sum() > 0
    assert loss(pred, target, FACES, torch.zeros(3)) == 0
