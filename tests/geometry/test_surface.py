import numpy as np
import trimesh

from pose2mesh.geometry.surface import area_vectors, edges_from_faces, face_normals, is_closed, vertex_normals


def _blob() -> trimesh.Trimesh:
    """A closed, uneven mesh: an icosphere stretched and rippled."""
    mesh = trimesh.creation.icosphere(subdivisions=2)
    mesh.vertices *= np.array([1.0, 2.0, 0.5]) * (1 + 0.1 * np.sin(5 * mesh.vertices[:, :1]))
    return mesh


def test_face_normals_agree_with_trimesh():
    mesh = _blob()
    normals = face_normals(np.array(mesh.vertices), np.array(mesh.faces))
    np.testing.assert_allclose(normals, mesh.face_normals, atol=1e-12)


def test_face_normals_of_a_batch_are_those_of_each_mesh():
    mesh = _blob()
    batch = np.stack([mesh.vertices, mesh.vertices[:, [1, 2, 0]]])  # [B, V, 3]
    normals = face_normals(batch, mesh.faces)
    for one, vertices in zip(normals, batch, strict=True):
        np.testing.assert_array_equal(one, face_normals(vertices, mesh.faces))


def test_vertex_normals_are_the_area_weighted_mean_of_the_adjoining_faces():
    mesh = _blob()
    expected = np.zeros((len(mesh.vertices), 3))
    for face, normal, area in zip(mesh.faces, mesh.face_normals, mesh.area_faces, strict=True):
        expected[face] += area * normal
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(vertex_normals(np.array(mesh.vertices), mesh.faces), expected, atol=1e-12)


def test_normals_of_a_sphere_point_outwards():
    sphere = trimesh.creation.icosphere(subdivisions=4)
    normals = vertex_normals(sphere.vertices.astype(np.float32), sphere.faces)
    assert normals.dtype == np.float32
    assert ((normals * sphere.vertices).sum(axis=1) > 0.999).all()


def test_degenerate_faces_and_lonely_vertices_have_zero_normals():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 1, 0], [5, 5, 5]], float)
    faces = np.array([[0, 1, 2], [1, 1, 3], [0, 1, 3]])  # a line, a doubled corner, a good one
    np.testing.assert_array_equal(face_normals(vertices, faces), [[0, 0, 0], [0, 0, 0], [0, 0, 1]])
    up, zero = [0, 0, 1], [0, 0, 0]
    np.testing.assert_array_equal(vertex_normals(vertices, faces), [up, up, zero, up, zero])


def test_edges_agree_with_trimesh_and_with_euler():
    mesh = _blob()
    edges = edges_from_faces(mesh.faces)
    assert {tuple(edge) for edge in edges} == {tuple(edge) for edge in mesh.edges_unique}
    assert len(mesh.vertices) - len(edges) + len(mesh.faces) == 2  # a closed surface without handles


def test_edges_leave_self_loops_out():
    np.testing.assert_array_equal(edges_from_faces(np.array([[2, 2, 0], [1, 2, 0]])), [[0, 1], [0, 2], [1, 2]])


def test_a_surface_is_closed_until_a_face_is_missing():
    mesh = _blob()
    vertices, faces = np.array(mesh.vertices) + np.array([0.3, -2, 9]), np.array(mesh.faces)
    for exact in (vertices, vertices.astype(np.float32).astype(np.float64)):
        assert is_closed(area_vectors(exact, faces))
    assert not is_closed(area_vectors(vertices, faces[1:]))
    assert is_closed(area_vectors(vertices, faces[:0]))
