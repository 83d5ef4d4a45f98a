import numpy as np
import pytest
import trimesh
from hierarchy_meshes import MESHES, icosphere
from hypothesis import given
from hypothesis import strategies as st

from pose2mesh.hierarchy.quadric import decimate
from pose2mesh.hierarchy.upsampling import barycentric_upsampling, closest_in_triangles, with_exact_rows

COARSE = {"closed": 160, "open": 40, "several": 200}


@pytest.mark.parametrize("name", MESHES)
def test_rows_are_barycentric_weights_on_one_coarse_face(name):
    vertices, faces = MESHES[name]
    ids, coarse = decimate(vertices, faces, (COARSE[name],))[0]
    matrix = barycentric_upsampling(vertices, faces, ids, coarse)
    np.testing.assert_allclose(np.asarray(matrix.sum(axis=1)).ravel(), 1.0, atol=1e-12)
    assert matrix.data.min() >= 0
    np.testing.assert_array_equal(matrix[ids].toarray(), np.eye(len(ids)))
    triangles = [set(face) for face in coarse.tolist()]
    rows = (set(matrix.indices[a:b]) for a, b in zip(matrix.indptr, matrix.indptr[1:], strict=False))
    assert all(any(row <= triangle for triangle in triangles) for row in rows)


def test_a_convex_mesh_gets_the_closest_point_of_the_whole_surface():
    vertices, faces = icosphere(3)
    ids, coarse = decimate(vertices, faces, (160,))[0]
    reached = barycentric_upsampling(vertices, faces, ids, coarse) @ vertices[ids]
    surface = trimesh.Trimesh(vertices[ids], coarse, process=False)
    distance = trimesh.proximity.closest_point_naive(surface, vertices)[1]
    np.testing.assert_allclose(np.linalg.norm(reached - vertices, axis=1), distance, atol=1e-9)


def test_two_touching_parts_are_not_mixed():
    """Two spheres a hair apart, as two thighs: no vertex may be carried by the other sphere."""
    sphere, faces = icosphere(2)
    vertices = np.concatenate([sphere, sphere + np.array([2.0001, 0, 0])])
    both = np.concatenate([faces, faces + len(sphere)])
    ids, coarse = decimate(vertices, both, (60,))[0]
    matrix = barycentric_upsampling(vertices, both, ids, coarse)
    on_first = ids < len(sphere)
    assert matrix[: len(sphere)][:, ~on_first].nnz == 0
    assert matrix[len(sphere) :][:, on_first].nnz == 0


def test_the_two_sides_of_a_thin_part_are_not_mixed():
    """A flattened sphere, thin as a palm: vertices stay on their own side although the other is as near."""
    vertices, faces = icosphere(3)
    vertices = vertices * [1, 1, 0.02]
    ids, coarse = decimate(vertices, faces, (80,))[0]
    matrix = barycentric_upsampling(vertices, faces, ids, coarse)
    side = np.sign(matrix @ np.sign(vertices[ids][:, 2]))
    inside = np.abs(vertices[:, 2]) > 0.012  # away from the rim, where faces span both sides
    assert (side[inside] == np.sign(vertices[inside][:, 2])).mean() > 0.99


def grid(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers [rows, columns] of the vertices of a sheet, and its faces."""
    number = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = (part.ravel() for part in (number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]))
    return number, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def test_a_folded_sheet_knows_its_halves_by_where_they_face():
    """Both halves lie in one plane, so near the fold only the normals tell one from the other."""
    number, faces = grid(13, 5)
    along, across = np.meshgrid(np.arange(-6, 7), np.arange(5), indexing="ij")
    vertices = np.stack([np.abs(along), across, np.zeros_like(along)], -1).reshape(-1, 3).astype(float)
    ids = number[::3, ::2].ravel()
    half = np.sign(along).ravel()
    matrix = barycentric_upsampling(vertices, faces, ids, grid(5, 3)[1])
    assert (np.sign(matrix @ half[ids]) * half >= 0).all()


@given(st.integers(0, 2000))
def test_closest_in_triangles_agrees_with_trimesh(seed):
    rng = np.random.default_rng(seed)
    corners = rng.normal(size=(20, 3, 3))
    points = 2 * rng.normal(size=(20, 3))
    weights = closest_in_triangles(points, corners)
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    expected = trimesh.triangles.closest_point(corners, points)
    np.testing.assert_allclose((weights[:, :, None] * corners).sum(axis=1), expected, atol=1e-9)


def test_closest_in_a_triangle_without_area():
    corners = np.array([[[0, 0, 0], [1, 0, 0], [2, 0, 0]], [[1, 1, 1]] * 3], float)
    weights = closest_in_triangles(np.array([[1.5, 1, 0], [0, 0, 0]]), corners)
    np.testing.assert_allclose((weights[:, :, None] * corners).sum(axis=1), [[1.5, 0, 0], [1, 1, 1]])


def test_unused_columns_are_not_stored():
    matrix = with_exact_rows(
        np.array([[0, 1], [0, 1], [1, 0]]), np.array([[0.5, 0.5], [9, 9], [1, 0]]), np.array([1, 2])
    )
    np.testing.assert_array_equal(matrix.toarray(), [[0.5, 0.5], [1, 0], [0, 1]])
    assert matrix.nnz == 4
