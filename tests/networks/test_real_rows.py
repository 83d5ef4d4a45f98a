"""Leaving out the fake rows of the padded tree changes nothing but the statistics of training."""

import numpy as np
import pytest
import torch
import trimesh

from pose2mesh.hierarchy import build_hierarchy
from pose2mesh.networks.meshnet import MeshNet, rows_to_keep
from pose2mesh.ops import native, use_backend

PLAN = ((5, 4, 3), (3, 4, 7), (7, 7, 7), (7, 6, 2), (2, 5, 3))


@pytest.fixture(scope="module")
def hierarchy():
    ball = trimesh.creation.icosphere(2)
    return build_hierarchy(ball.vertices, ball.faces, "hem", levels=3, joint_set="coco19")


def networks(hierarchy) -> tuple[MeshNet, MeshNet]:
    """One that keeps the fake rows and one that does not, with the same weights and statistics that are not trivial."""
    torch.manual_seed(0)
    padded = MeshNet.from_hierarchy(hierarchy, PLAN, keeps_fake_rows=True).double()
    for name, value in padded.state_dict().items():
        if value.is_floating_point() and (name.startswith("bn") or name.endswith("bias")):
            value.copy_(torch.rand_like(value) + 0.5)
    real = MeshNet.from_hierarchy(hierarchy, PLAN).double()
    real.load_state_dict(padded.state_dict())
    return padded, real


def test_the_rows_that_count_are_those_of_real_nodes(hierarchy):
    levels = [hierarchy.scaled_laplacian(level, "release") for level in reversed(range(3))]
    kept = rows_to_keep(levels, hierarchy.inverse)
    for rows, is_real in zip(reversed(kept), hierarchy.is_real, strict=False):
        np.testing.assert_array_equal(rows, np.flatnonzero(is_real))
    assert len(kept[-1]) == hierarchy.num_vertices < hierarchy.sizes[0]


@pytest.mark.parametrize("backend", ["reference", "cpu-torch", "cpu"])
def test_the_output_is_the_same(hierarchy, backend):
    padded, real = (network.eval() for network in networks(hierarchy))
    x = torch.randn(60, 19, 5, dtype=torch.float64)  # more than one micro-batch
    with use_backend("reference"):
        expected = padded(x)
    with use_backend(backend), torch.no_grad():
        torch.testing.assert_close(real(x), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("keeps_fake_rows", [True, False])
def test_a_training_step_is_that_of_plain_torch(hierarchy, keeps_fake_rows, monkeypatch):
    """Values, gradients and running statistics of the kernels against torch's own batch norm and the reference."""
    network = networks(hierarchy)[0 if keeps_fake_rows else 1].train()
    start = {name: value.clone() for name, value in network.state_dict().items()}
    x = torch.randn(3, 19, 5, dtype=torch.float64, requires_grad=True)
    results = []
    for backend, has_kernels in (("reference", False), ("cpu", native.is_available())):
        monkeypatch.setattr(native, "is_available", lambda has=has_kernels: has)
        network.load_state_dict(start)
        with use_backend(backend):
            y = network(x)
            gradients = torch.autograd.grad(y.square().sum(), [x, *network.parameters()])
        results.append([y, *gradients, *(b.clone() for b in network.buffers() if b.is_floating_point())])
    for theirs, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-8)


def test_fake_rows_change_the_statistics(hierarchy):
    padded, real = (network.train() for network in networks(hierarchy))
    x = torch.randn(3, 19, 5, dtype=torch.float64)
    padded(x), real(x)
    assert not torch.allclose(padded.bn[-1].running_mean, real.bn[-1].running_mean)
    torch.testing.assert_close(padded.bn[0].running_mean, real.bn[0].running_mean)  # the joint graph has none
