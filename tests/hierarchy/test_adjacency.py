import numpy as np
import pytest
from hierarchy_meshes import MESHES, icosphere, patch, several
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.csgraph import dijkstra

from pose2mesh.errors import InputError
from pose2mesh.hierarchy.adjacency import adjacency_matrix, check_mesh, edge_lengths, nearest_on_surface


@pytest.mark.parametrize("name", MESHES)
def test_adjacency_is_what_a_loop_over_the_faces_gives(name):
    vertices, faces = MESHES[name]
    expected = np.zeros((len(vertices), len(vertices)))
    for face in faces:
        for a in face:
            for b in face:
                expected[a, b] = a != b
    np.testing.assert_array_equal(adjacency_matrix(faces, len(vertices)).toarray(), expected)


def test_edge_lengths_are_euclidean_distances_on_edges_only():
    vertices, faces = patch()
    lengths = edge_lengths(vertices, faces).toarray()
    distance = np.linalg.norm(vertices[:, None] - vertices[None], axis=-1)
    on_edge = adjacency_matrix(faces, len(vertices)).toarray() > 0
    np.testing.assert_allclose(lengths, np.where(on_edge, distance, 0.0), rtol=1e-12)


def test_coincident_neighbors_stay_connected():
    vertices, faces = patch()
    vertices[1] = vertices[0]
    assert edge_lengths(vertices, faces).nnz == adjacency_matrix(faces, len(vertices)).nnz


@given(st.integers(1, 8), st.integers(0, 1000))
def test_nearest_on_surface_agrees_with_all_distances(count, seed):
    vertices, faces = patch()
    lengths = edge_lengths(vertices, faces)
    targets = np.random.default_rng(seed).choice(len(vertices), 20, replace=False)
    which, distance = nearest_on_surface(lengths, targets, count)
    expected = np.sort(dijkstra(lengths, directed=False)[:, targets], axis=1)[:, :count]
    np.testing.assert_allclose(distance, expected)
    np.testing.assert_array_equal(which[targets, 0], np.arange(20))  # a target is its own nearest


def test_nearest_on_surface_stays_in_its_component():
    vertices, faces = several()
    targets = np.array([0, 5, 642, 690])  # two on the large sphere, one on each small one
    which, distance = nearest_on_surface(edge_lengths(vertices, faces), targets, 3)
    assert set(which[642]) == {2, -1}
    assert np.isinf(distance[642, 1:]).all()
    assert set(which[100]) == {0, 1, -1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v, f: (v[:, :2], f), r"vertices must be \[V, 3\]"),
        (lambda v, f: (np.where(np.arange(len(v))[:, None] == 7, np.nan, v), f), "vertex 7 is not finite"),
        (lambda v, f: (v, f.astype(float)), "must be integers"),
        (lambda v, f: (v, np.concatenate([f, f], axis=1)), "triangulate"),
        (lambda v, f: (v, f[:0]), "faces must be"),
        (lambda v, f: (v, f + 1), "the mesh has 42"),
        (lambda v, f: (v, f - 1), "faces name vertices -1"),
        (lambda v, f: (v, np.concatenate([f, [[3, 3, 4]]])), "names a vertex twice"),
        (lambda v, f: (np.concatenate([v, v[:2]]), f), "2 vertices are in no face, the first is 42"),
    ],
)
def test_a_malformed_mesh_is_refused_with_the_reason(change, message):
    with pytest.raises(InputError, match=message):
        check_mesh(*change(*icosphere(1)))
