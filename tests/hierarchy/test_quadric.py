import hashlib
import itertools

import numpy as np
import pytest
from hierarchy_meshes import MESHES, icosphere, patch, several

from pose2mesh.errors import InputError
from pose2mesh.hierarchy.adjacency import edge_lengths
from pose2mesh.hierarchy.collapse import CollapsibleMesh
from pose2mesh.hierarchy.quadric import decimate, vertex_quadrics

SIZES = {"closed": (160, 40), "open": (50, 16), "several": (200, 60)}
GOLDEN = {"closed": "9d1e6a26e9ffb5be", "open": "6fecaafafcd018ac", "several": "8625f94aa6f9d445"}


def euler(vertices: int, faces: np.ndarray) -> int:
    """Euler characteristic: 2 for each closed sphere, 1 for each sheet."""
    edges = {frozenset(pair) for face in faces.tolist() for pair in itertools.combinations(face, 2)}
    return vertices - len(edges) + len(faces)


def signed_volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    return float(np.linalg.det(vertices[faces]).sum() / 6)


@pytest.mark.parametrize("name", MESHES)
def test_levels_are_nested_manifolds_of_the_same_topology(name):
    vertices, faces = MESHES[name]
    before = set(range(len(vertices)))
    for (ids, level), size in zip(decimate(vertices, faces, SIZES[name]), SIZES[name], strict=True):
        assert len(ids) == size and set(ids) <= before and (np.diff(ids) > 0).all()
        assert set(level.ravel()) == set(range(size))
        assert euler(size, level) == euler(len(vertices), faces)
        directed = [pair for a, b, c in level.tolist() for pair in ((a, b), (b, c), (c, a))]
        assert len(set(directed)) == len(directed)  # at most two faces an edge, turning the same way
        before = set(ids)


@pytest.mark.parametrize("name", MESHES)
def test_decimation_never_changes(name):
    ids, faces = decimate(*MESHES[name], SIZES[name])[-1]
    content = ids.astype("<i4").tobytes() + faces.astype("<i4").tobytes()
    assert hashlib.sha256(content).hexdigest()[:16] == GOLDEN[name]


def test_the_shape_is_kept():
    vertices, faces = icosphere(3)
    ((ids, coarse),) = decimate(vertices, faces, (160,))
    assert signed_volume(vertices[ids], coarse) > 0.93 * signed_volume(vertices, faces)
    normals = np.cross(*(np.diff(vertices[ids][coarse], axis=1).transpose(1, 0, 2)))
    assert ((normals * vertices[ids][coarse].mean(axis=1)).sum(axis=1) > 0).all()  # all faces look out


def test_small_components_survive():
    vertices, faces = several()
    ids, _ = decimate(vertices, faces, (24,))[0]
    start = [0, 642, 684, 726, 746]
    kept = [int(((ids >= a) & (ids < b)).sum()) for a, b in itertools.pairwise(start)]
    assert min(kept) >= 4


def test_the_outline_of_an_open_mesh_is_kept():
    vertices, faces = patch()
    ids, coarse = decimate(vertices, faces, (40,))[0]
    assert {0, 13, 126, 139} <= set(ids)  # the corners
    corners = vertices[ids][:, :2][coarse]  # [F', 3, 2] seen from above
    area = np.abs(np.linalg.det(np.diff(corners, axis=1))).sum() / 2
    assert area == pytest.approx(13 * 9, rel=0.01)


def test_merged_points_keep_flat_areas_populated():
    """Half of the sheet is flat: planes alone would empty it."""
    vertices, faces = patch(30, 12)
    vertices[:, 2] = np.where(vertices[:, 0] > 14, np.sin(vertices[:, 0] * 1.5), 0.0)
    spread = {}
    for uniformity in (0.0, 0.1):
        ids, coarse = decimate(vertices, faces, (100,), uniformity)[0]
        lengths = edge_lengths(vertices[ids], coarse).data
        spread[uniformity] = lengths.std() / lengths.mean()
    assert spread[0.1] < 0.7 * spread[0.0]


def test_quadrics_measure_distances_to_planes_and_points():
    vertices, faces = icosphere(1)
    point = np.array([0.3, -0.2, 1.1])
    x, y, z = point
    monomials = np.array([x * x, 2 * x * y, 2 * x * z, y * y, 2 * y * z, z * z, 2 * x, 2 * y, 2 * z, 1.0])
    values = np.array(vertex_quadrics(vertices, faces, 0.5)) @ monomials
    expected = np.zeros(len(vertices))
    for face in faces:
        a, b, c = vertices[face]
        normal = np.cross(b - a, c - a)
        area = np.linalg.norm(normal) / 2
        to_plane = ((point - a) @ normal / (2 * area)) ** 2
        for corner in face:
            expected[corner] += area / 3 * (to_plane + 0.5 * ((point - vertices[corner]) ** 2).sum())
    np.testing.assert_allclose(values, expected, rtol=1e-10)


def test_a_tetrahedron_and_an_inner_bridge_are_left_alone():
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
    closed = CollapsibleMesh(corners, np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]))
    assert not any(closed.may_collapse(a, b) or closed.may_collapse(b, a) for a, b in closed.edges())
    strip = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [2, 0, 0.0]])
    mesh = CollapsibleMesh(strip, np.array([[0, 1, 2], [1, 3, 2], [1, 4, 3]]))
    assert not mesh.may_collapse(1, 2)  # an inner edge between two boundary vertices: would pinch


@pytest.mark.parametrize("sizes", [(642,), (100, 100), (50, 60), (3,)])
def test_sizes_that_do_not_fall_are_refused(sizes):
    with pytest.raises(InputError, match="sizes must fall"):
        decimate(*icosphere(3), sizes)


def test_a_size_that_would_break_the_surface_is_refused():
    with pytest.raises(InputError, match="cannot decimate to 10 vertices: at 16"):
        decimate(*several(), (10,))
