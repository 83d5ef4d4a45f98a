import numpy as np
import pytest
from hierarchy_meshes import MESHES, icosphere
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from pose2mesh.errors import InputError
from pose2mesh.hierarchy.adjacency import adjacency_matrix
from pose2mesh.hierarchy.laplacian import (
    largest_eigenvalue,
    normalized_laplacian,
    scale_laplacian,
    skeleton_laplacian,
)
from pose2mesh.skeletons import joint_set, joint_sets


def dense_laplacian(adjacency: np.ndarray) -> np.ndarray:
    degree = adjacency.sum(axis=1)
    product = np.sqrt(np.outer(degree, degree))
    return np.eye(len(degree)) - np.divide(adjacency, product, out=np.zeros_like(product), where=product > 0)


@given(st.integers(2, 30), st.integers(0, 1000))
def test_normalized_laplacian_agrees_with_the_dense_formula(size, seed):
    weights = np.random.default_rng(seed).integers(0, 4, (size, size)).astype(float)
    adjacency = weights + weights.T  # self loops and isolated nodes occur
    laplacian = normalized_laplacian(sparse.csr_matrix(adjacency))
    np.testing.assert_allclose(laplacian.toarray(), dense_laplacian(adjacency), atol=1e-14)


@pytest.mark.parametrize("name", MESHES)
def test_spectrum_starts_at_zero_once_per_component(name):
    vertices, faces = MESHES[name]
    values = np.linalg.eigvalsh(normalized_laplacian(adjacency_matrix(faces, len(vertices))).toarray())
    components = {"closed": 1, "open": 1, "several": 4}[name]
    np.testing.assert_allclose(values[:components], 0.0, atol=1e-12)
    assert values[components] > 1e-3


def test_large_and_small_matrices_find_the_same_eigenvalue():
    vertices, faces = icosphere(3)  # 642 nodes: iterative, and symmetric, so that a careless start vector fails
    laplacian = normalized_laplacian(adjacency_matrix(faces, len(vertices)))
    exact = np.linalg.eigvalsh(laplacian.toarray())[-1]
    assert largest_eigenvalue(laplacian) == pytest.approx(exact, abs=1e-10)
    assert largest_eigenvalue(laplacian) == largest_eigenvalue(laplacian)


def test_an_odd_leading_eigenvector_is_found():
    """On a path of even length the leading eigenvector is antisymmetric: a constant start would miss it."""
    size = 600
    ones = np.ones(size - 1)
    laplacian = normalized_laplacian(sparse.diags([ones, ones], [-1, 1], format="csr"))
    assert largest_eigenvalue(laplacian) == pytest.approx(2.0, abs=1e-9)  # a bipartite graph


@pytest.mark.parametrize(("scaling", "low", "high"), [("chebyshev", -1, 1), ("release", -1, -0.5)])
def test_scalings_have_the_spectrum_that_their_description_says(scaling, low, high):
    vertices, faces = icosphere(2)
    laplacian = normalized_laplacian(adjacency_matrix(faces, len(vertices)))
    scaled = scale_laplacian(laplacian, largest_eigenvalue(laplacian), scaling)
    values = np.linalg.eigvalsh(scaled.toarray())
    np.testing.assert_allclose([values[0], values[-1]], [low, high], atol=1e-9)


def test_scaling_none_is_a_copy_and_an_unknown_one_is_refused():
    laplacian = normalized_laplacian(adjacency_matrix(icosphere(1)[1], 42))
    copy = scale_laplacian(laplacian, 1.4, "none")
    copy.data[:] = 0
    assert laplacian.data.any()
    with pytest.raises(InputError, match="known: chebyshev, release, none"):
        scale_laplacian(laplacian, 1.4, "kipf")


@pytest.mark.parametrize("name", [joints.name for joints in joint_sets()])
def test_skeleton_laplacian_holds_bones_partners_and_self_loops(name):
    joints = joint_set(name)
    adjacency = np.eye(len(joints))
    fingers = [(i, i + 4) for i in range(1, 17)] if name == "hand21" else []
    for a, b in (*joints.bone_indices, *joints.flip_pairs, *fingers):
        adjacency[[a, b], [b, a]] = 1
    np.testing.assert_allclose(skeleton_laplacian(name).toarray(), dense_laplacian(adjacency), atol=1e-15)


@pytest.mark.parametrize(
    ("name", "entries", "largest"),
    [("human36m17", 61, 1.381881), ("coco19", 71, 1.381881), ("hand21", 93, None)],
)
def test_skeleton_laplacian_has_the_published_graph(name, entries, largest):
    """Counts and eigenvalues measured on the published code; a hand has 20 bones and 16 edges across fingers."""
    laplacian = skeleton_laplacian(name)
    assert laplacian.nnz == entries
    if largest:
        assert largest_eigenvalue(laplacian) == pytest.approx(largest, abs=1e-6)
