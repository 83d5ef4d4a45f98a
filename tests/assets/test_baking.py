"""The arithmetic of baking, on shapes and joints that are known beforehand."""

import numpy as np
import pytest
import trimesh

from tools.assets.baking import fit_heads, fit_joint_regressor, measure_bodies, project_shapes, shape_basis


@pytest.fixture
def people() -> tuple[np.ndarray, np.ndarray]:
    """400 bodies [N,V,3] of a two-dimensional family with deviations 3 and 1, and the family's directions."""
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.normal(size=(90, 2)))[0].T.reshape(2, 30, 3)
    scores = rng.normal(size=(400, 2)) * [3, 1]
    return rng.normal(size=(30, 3)) + np.einsum("ns,svi->nvi", scores - scores.mean(0), directions), directions


def test_basis_recovers_a_known_family(people: tuple[np.ndarray, np.ndarray]) -> None:
    vertices, directions = people
    mean, basis = shape_basis(vertices, 2)
    np.testing.assert_allclose(mean, vertices.mean(0))
    length = np.linalg.norm(basis.reshape(-1, 2), axis=0)
    np.testing.assert_allclose(length, [3, 1], rtol=0.15)  # one unit of a coefficient is one deviation
    across = basis.reshape(-1, 2).T / length[:, None] @ directions.reshape(2, -1).T
    np.testing.assert_allclose(across @ across.T, np.eye(2), atol=1e-9)  # the same plane
    betas = project_shapes(vertices, mean, basis)
    np.testing.assert_allclose(mean + np.einsum("vis,ns->nvi", basis, betas), vertices, atol=1e-9)
    np.testing.assert_allclose(betas.std(0), 1, atol=1e-9)


def test_basis_does_not_depend_on_the_order_of_people(people: tuple[np.ndarray, np.ndarray]) -> None:
    vertices, _ = people
    np.testing.assert_allclose(shape_basis(vertices[::-1], 2)[1], shape_basis(vertices, 2)[1], atol=1e-8)


def test_regressor_recovers_joints_that_are_means_of_vertices() -> None:
    rng = np.random.default_rng(1)
    vertices = rng.normal(size=(50, 25, 3)) * 0.1 + rng.normal(size=(25, 3))
    true = np.zeros((2, 25))
    true[0, [3, 7]] = 0.5
    true[1, [1, 2, 20]] = 0.2, 0.5, 0.3
    found = fit_joint_regressor(vertices, np.einsum("kv,nvi->nki", true, vertices)).toarray()
    np.testing.assert_allclose(found, true, atol=1e-6)


def test_heads_that_are_affine_in_shape_are_recovered() -> None:
    rng = np.random.default_rng(2)
    true, betas = rng.normal(size=(5, 3, 4)), rng.normal(size=(40, 3))
    heads = true[..., 0] + np.einsum("kis,ns->nki", true[..., 1:], betas)
    np.testing.assert_allclose(fit_heads(betas, heads), true, atol=1e-9)


def test_height_and_weight_are_those_of_the_solid() -> None:
    box = trimesh.creation.box((0.4, 1.5, 0.2))
    taller = np.zeros((8, 3, 1))
    taller[box.vertices[:, 1] > 0, 1] = 0.25
    height, weight = measure_bodies(box.vertices, taller, np.array([[0.0], [1.0]]), box.faces)
    np.testing.assert_allclose(height, [1.5, 1.75])
    np.testing.assert_allclose(weight, [980 * 0.4 * 1.5 * 0.2, 980 * 0.4 * 1.75 * 0.2])
