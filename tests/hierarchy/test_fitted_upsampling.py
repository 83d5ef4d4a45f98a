import numpy as np
import pytest
from hierarchy_meshes import icosphere, several
from scipy import sparse

from pose2mesh.errors import InputError
from pose2mesh.hierarchy.fitted_upsampling import fit_upsampling
from pose2mesh.hierarchy.quadric import decimate
from pose2mesh.hierarchy.upsampling import barycentric_upsampling


def bent(vertices: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Smooth random deformations of a mesh, [count, V, 3]: an affine map, a bend and a bulge each."""
    rng = np.random.default_rng(seed)
    bodies = []
    for _ in range(count):
        affine = np.eye(3) + 0.2 * rng.normal(size=(3, 3))
        bend = 0.3 * rng.normal() * np.sin(vertices @ rng.normal(size=3))[:, None] * rng.normal(size=3)
        bodies.append(vertices @ affine.T + bend + rng.normal(size=3))
    return np.array(bodies)


def upsampling_residual(matrix: sparse.csr_matrix, fine: np.ndarray, ids: np.ndarray) -> float:
    """Mean distance between fine vertices [S, V, 3] and those upsampled from their own coarse subset `ids` [N]."""
    return float(np.mean([np.linalg.norm(matrix @ vertices[ids] - vertices, axis=1).mean() for vertices in fine]))


@pytest.fixture(scope="module")
def sphere():
    vertices, faces = icosphere(3)
    ids, coarse = decimate(vertices, faces, (160,))[0]
    return vertices, faces, ids, coarse, fit_upsampling(bent(vertices, 40, 0), faces, ids)


def test_rows_sum_to_one_and_amplify_little(sphere):
    _, _, ids, _, fitted = sphere
    np.testing.assert_allclose(np.asarray(fitted.sum(axis=1)).ravel(), 1.0, atol=1e-9)
    assert np.sqrt(fitted.multiply(fitted).sum(axis=1)).max() <= 1.5
    np.testing.assert_array_equal(fitted[ids].toarray(), np.eye(len(ids)))
    assert np.diff(fitted.indptr).max() <= 10


def test_unseen_bodies_are_closer_than_with_barycentric_weights(sphere):
    vertices, faces, ids, coarse, fitted = sphere
    unseen = bent(vertices, 20, 1)
    barycentric = barycentric_upsampling(vertices, faces, ids, coarse)
    assert upsampling_residual(fitted, unseen, ids) < 0.5 * upsampling_residual(barycentric, unseen, ids)


def test_the_weights_minimize_the_stated_sum():
    """Against a general solver on one row: scipy's constrained minimizer finds nothing better."""
    from scipy.optimize import minimize

    vertices, faces = icosphere(2)
    ids, _ = decimate(vertices, faces, (60,))[0]
    fine, ridge = bent(vertices, 15, 2), 0.05
    fitted = fit_upsampling(fine, faces, ids, neighbors=5, ridge=ridge)
    row = int(np.setdiff1d(np.arange(len(vertices)), ids)[3])
    columns = fitted[[row]].indices

    def cost(weights: np.ndarray) -> float:
        missed = fine[:, row] - np.einsum("k,skd->sd", weights, fine[:, ids[columns]])
        return float((missed**2).mean() + ridge**2 * (weights**2).sum())

    found = minimize(cost, np.full(5, 0.2), constraints={"type": "eq", "fun": lambda w: w.sum() - 1}, tol=1e-14)
    assert cost(fitted[[row]].toarray()[0, columns]) <= found.fun + 1e-9


def test_a_strong_ridge_gives_equal_weights(sphere):
    vertices, faces, ids, _, _ = sphere
    fitted = fit_upsampling(bent(vertices, 5, 0), faces, ids, neighbors=4, ridge=1e4)
    others = np.setdiff1d(np.arange(len(vertices)), ids)
    np.testing.assert_allclose(fitted[others].data, 0.25, atol=1e-6)


def test_a_component_with_few_coarse_vertices_uses_those():
    vertices, faces = several()
    ids, _ = decimate(vertices, faces, (100,))[0]
    fitted = fit_upsampling(bent(vertices, 20, 0), faces, ids)
    assert ids[fitted[700].indices].min() >= 684  # the second small sphere
    np.testing.assert_allclose(np.asarray(fitted.sum(axis=1)).ravel(), 1.0, atol=1e-9)


def test_the_residual_is_a_mean_distance():
    vertices, faces = icosphere(1)
    ids = np.arange(12)
    matrix = fit_upsampling(bent(vertices, 8, 0), faces, ids)
    fine = bent(vertices, 3, 4)
    expected = [np.sqrt((((matrix @ body[ids]) - body) ** 2).sum(axis=1)).mean() for body in fine]
    assert upsampling_residual(matrix, fine, ids) == pytest.approx(np.mean(expected))


@pytest.mark.parametrize(
    "wrong", [{"fine": np.zeros((4, 3))}, {"fine": np.zeros((0, 642, 3))}, {"ridge": 0.0}, {"neighbors": 0}]
)
def test_wrong_arguments_are_refused(sphere, wrong):
    vertices, faces, ids, _, _ = sphere
    arguments = {"fine": vertices[None], "faces": faces, "coarse_ids": ids} | wrong
    with pytest.raises(InputError, match="need fine"):
        fit_upsampling(**arguments)
