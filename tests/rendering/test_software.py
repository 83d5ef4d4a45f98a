import numpy as np
import pytest
import trimesh

from pose2mesh.errors import MissingDependencyError
from pose2mesh.rendering import software
from pose2mesh.rendering.backends import get_renderer
from pose2mesh.rendering.shading import shade
from pose2mesh.rendering.software import NEAR, Pinhole, rasterize, render

CLAY = (0.87, 0.70, 0.60)
FOCAL, SIZE = 500.0, (320, 240)
CENTER = (150.5, 125.25)
VIEW = Pinhole(FOCAL, CENTER, SIZE)


def _sphere(radius: float = 0.5, position: tuple = (0.1, -0.05, 3.0)) -> tuple[np.ndarray, np.ndarray]:
    mesh = trimesh.creation.icosphere(subdivisions=5, radius=radius)
    return mesh.vertices + np.array(position), np.array(mesh.faces)


def _rays() -> np.ndarray:
    x, y = np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5)
    return np.stack([(x - CENTER[0]) / FOCAL, (y - CENTER[1]) / FOCAL, np.ones_like(x)], axis=-1)  # [H, W, 3]


def _analytic_depth(radius: float, position: np.ndarray) -> np.ndarray:
    """First intersection of each pixel's ray with a sphere; 0 where it misses."""
    rays = _rays()
    a, b = (rays**2).sum(-1), rays @ position
    inside = b**2 - a * (position @ position - radius**2)
    return np.where(inside > 0, (b - np.sqrt(np.maximum(inside, 0))) / a, 0)


def test_sphere_has_the_analytic_outline_and_depth():
    position = np.array([0.1, -0.05, 3.0])
    _, depth = render(*_sphere(0.5, tuple(position)), VIEW, CLAY)
    expected = _analytic_depth(0.5, position)
    mask, truth = depth > 0, expected > 0
    assert abs(mask.sum() / truth.sum() - 1) < 2e-3
    assert (mask & truth).sum() / (mask | truth).sum() > 0.995
    inner = mask & truth & (expected < 2.75)  # away from the outline, where depth is steep
    assert np.abs(depth - expected)[inner].max() < 5e-4  # the faceted sphere lies 0.1 mm inside the round one


def test_shading_interpolates_the_normals():
    position = np.array([0.1, -0.05, 3.0])
    rgb, depth = render(*_sphere(0.5, tuple(position)), VIEW, CLAY)
    inner = depth > 0
    normals = (_rays() * depth[..., None] - position)[inner] / 0.5
    facing = np.abs(np.linalg.norm(normals, axis=1) - 1) < 2e-3
    error = np.abs(rgb[inner][facing].astype(int) - shade(normals[facing].astype(np.float32), CLAY))
    assert error.max() <= 4


def test_colors_of_vertices_are_those_of_the_whole_where_they_agree():
    vertices, faces = _sphere()
    rgb, depth = render(vertices, faces, VIEW, CLAY)
    same, _ = render(vertices, faces, VIEW, np.tile(np.array(CLAY), (len(vertices), 1)))
    np.testing.assert_allclose(same.astype(int), rgb.astype(int), atol=1)
    halves = np.where(vertices[:, :1] > vertices[:, 0].mean(), np.array(CLAY), 0.0)  # right half clay, left half black
    picture, _ = render(vertices, faces, VIEW, halves)
    seen = np.flatnonzero(depth.any(0))
    left, right = picture[:, seen[: len(seen) // 3]], picture[:, seen[-len(seen) // 3 :]]
    assert left.mean() < 0.4 * right.mean()


def test_a_slanted_plane_has_perspective_correct_depth():
    corners = np.array([[-4, -3, 2.0], [4, -3, 2.0], [4, 3, 9.0], [-4, 3, 9.0]])
    _, depth = render(corners, np.array([[0, 1, 2], [0, 2, 3]]), VIEW, CLAY)
    normal = np.cross(corners[1] - corners[0], corners[3] - corners[0])
    expected = (normal @ corners[0]) / (_rays() @ normal)
    mask = depth > 0
    assert mask.mean() > 0.5
    np.testing.assert_allclose(depth[mask], expected[mask], rtol=1e-6)


def test_neighboring_triangles_leave_no_cracks():
    generator = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(np.linspace(-2, 2, 40), np.linspace(-2, 2, 40)), -1).reshape(-1, 2)
    grid += generator.uniform(-0.02, 0.02, grid.shape)
    vertices = np.column_stack([grid, np.full(len(grid), 3.0)])
    corner = (np.arange(39)[:, None] * 40 + np.arange(39)).reshape(-1, 1)
    faces = np.concatenate([corner + np.array(triangle) for triangle in ([0, 1, 41], [0, 41, 40])])
    _, depth = render(vertices, faces, VIEW._replace(center=(160.0, 120.0)), CLAY)
    assert (depth > 0).all()


def test_the_nearer_surface_hides_the_farther_one():
    near, faces = _sphere(0.2, (0, 0, 2.0))
    far, _ = _sphere(0.5, (0, 0, 3.0))
    both = np.concatenate([faces, faces + len(near)])
    for order in (both, both[::-1]):
        _, depth = render(np.concatenate([near, far]), order, VIEW, CLAY)
        single = [render(v, faces, VIEW, CLAY)[1] for v in (near, far)]
        expected = np.minimum(*(np.where(d > 0, d, np.inf) for d in single))
        np.testing.assert_array_equal(depth, np.where(np.isfinite(expected), expected, 0))


def test_both_sides_of_a_face_are_lit_alike():
    triangle = np.array([[-0.5, -0.5, 2.0], [0.5, -0.5, 2.0], [0, 0.5, 2.2]])
    front, _ = render(triangle, np.array([[0, 1, 2]]), VIEW, CLAY)
    back, _ = render(triangle, np.array([[0, 2, 1]]), VIEW, CLAY)
    np.testing.assert_array_equal(front, back)


def test_opacity_of_vertices_is_drawn_between_them():
    vertices, faces = _sphere()
    half = (vertices[:, :1] > vertices[:, 0].mean()).astype(float)  # [V, 1]
    rgba, depth = render(vertices, faces, VIEW, np.column_stack([np.tile(CLAY, (len(vertices), 1)), half]))
    plain, _ = render(vertices, faces, VIEW, CLAY)
    np.testing.assert_allclose(rgba[..., :3].astype(int), plain.astype(int), atol=2)
    seen = np.flatnonzero(depth.any(0))
    assert rgba[..., 3][depth > 0].mean() == pytest.approx(127, abs=8)
    assert not rgba[:, seen[: len(seen) // 3], 3].any()


def test_the_inside_of_an_open_mesh_is_drawn():
    vertices, faces = _sphere()
    _, depth = render(vertices, faces, VIEW, CLAY)
    front = vertices[faces].mean(axis=1)[:, 2] < vertices[:, 2].mean()
    _, behind = render(vertices, faces[~front], VIEW, CLAY)  # a bowl, seen into
    assert (behind[depth > 0] > 0).mean() > 0.95  # the outline of the whole sphere lies before its rim
    assert np.median(behind[behind > 0]) > np.median(depth[depth > 0])


def test_triangles_at_the_camera_are_dropped_and_the_others_drawn():
    good = np.array([[-0.5, -0.5, 2.0], [0.5, -0.5, 2.0], [0, 0.5, 2.0]])
    behind, crossing = good * [1, 1, -1], good * [1, 1, 0.5]
    crossing[2, 2] = NEAR
    vertices = np.concatenate([behind, crossing, good])
    faces = np.arange(9).reshape(3, 3)
    alone, _ = render(good, faces[:1], VIEW, CLAY)
    rgb, depth = render(vertices, faces, VIEW, CLAY)
    np.testing.assert_array_equal(rgb, alone)
    assert depth.max() == pytest.approx(2)


@pytest.mark.parametrize("shift", [(-1.0, 0, 0), (0.9, 0.7, 0), (0, -0.8, 0), (0, 0, -1.9), (50.0, 0, 0)])
def test_a_picture_is_a_window_of_a_larger_one(shift):
    vertices, faces = _sphere(0.5, (0, 0, 3.0))
    vertices = vertices + shift
    small = render(vertices, faces, VIEW, CLAY)
    center = (CENTER[0] + 200, CENTER[1] + 100)
    large = render(vertices, faces, Pinhole(FOCAL, center, (SIZE[0] + 400, SIZE[1] + 200)), CLAY)
    for a, b in zip(small, large, strict=True):
        difference = a.astype(float) != b[100:-100, 200:-200]
        assert difference.mean() < 1e-3  # only the rounding of the shifted coordinates
    np.testing.assert_allclose(small[1].astype(float).sum(), large[1][100:-100, 200:-200].sum(), rtol=1e-3)


def test_degenerate_and_missing_faces_draw_nothing():
    vertices = np.array([[0, 0, 2.0], [0.1, 0, 2.0], [0.2, 0, 2.0], [0, 0.1, 2.0]])
    for faces in (np.array([[0, 1, 2], [1, 1, 3], [2, 2, 2]]), np.zeros((0, 3), int)):
        rgb, depth = render(vertices, faces, VIEW, CLAY)
        assert not rgb.any()
        assert not depth.any()


def test_the_same_bytes_on_every_run():
    first, second = (render(*_sphere(), VIEW, CLAY) for _ in range(2))
    assert first[0].tobytes() == second[0].tobytes()
    assert first[1].tobytes() == second[1].tobytes()


def test_dtypes_shapes_and_background():
    rgb, depth = render(*_sphere(), VIEW, CLAY)
    assert rgb.shape == (240, 320, 3)
    assert rgb.dtype == np.uint8
    assert depth.shape == (240, 320)
    assert depth.dtype == np.float32
    assert not rgb[depth == 0].any()
    assert rgb[depth > 0].any(axis=-1).all()


def test_agrees_with_pyrender_where_gl_works():
    try:
        gl = get_renderer("pyrender")
    except MissingDependencyError as error:
        pytest.skip(f"no GL here: {error}")
    arguments = (*_sphere(0.8, (0.1, -0.05, 3.0)), Pinhole(1000.0, (310.5, 245.25), (640, 480)), CLAY)
    rgb, depth = render(*arguments)
    gl_rgb, gl_depth = gl.render(*arguments)
    mask, gl_mask = depth > 0, gl_depth > 0
    assert (mask & gl_mask).sum() / (mask | gl_mask).sum() >= 0.99
    both = mask & gl_mask
    assert np.median(np.abs(depth - gl_depth)[both]) < 1e-3
    assert np.abs(rgb[both].astype(float) - gl_rgb[both]).mean() < 12  # same lights, another reflection model


def _scenes():
    """Meshes with arguments of `render`: closed, open, cut by the picture, behind the camera, slivers, not finite."""
    generator = np.random.default_rng(0)
    vertices, faces = _sphere()
    yield "sphere", vertices, faces, FOCAL, CLAY
    yield "colors and opacity", vertices, faces, FOCAL, generator.uniform(0, 1, (len(vertices), 4))
    yield "open", vertices, faces[: len(faces) // 2], FOCAL, CLAY
    yield "close", *_sphere(0.5, (0.0, 0.0, 0.57)), 2 * FOCAL, CLAY
    yield "tiny", vertices, faces, 0.02 * FOCAL, CLAY
    soup = generator.normal([0, 0, 2], [1, 1, 1], (900, 3))
    yield "soup", soup, np.arange(900).reshape(-1, 3), FOCAL, generator.uniform(0, 1, (900, 3))
    soup[::7] = np.array([np.nan, np.inf, -np.inf])[generator.integers(0, 3, (len(soup[::7]), 3))]
    yield "not finite", soup, np.arange(900).reshape(-1, 3), FOCAL, CLAY
    flat = np.round(generator.uniform(-1, 1, (300, 3)), 1) * [1, 1, 0] + [0, 0, 3]
    yield "level edges and equal depths", flat, np.arange(300).reshape(-1, 3), FOCAL, generator.uniform(0, 1, (300, 4))


@pytest.mark.filterwarnings("ignore:invalid value")  # of what is not finite
@pytest.mark.parametrize("scene", list(_scenes()), ids=lambda scene: scene[0])
def test_the_kernels_draw_the_same_bytes(scene, monkeypatch):
    if software._kernels() is None:
        pytest.skip("no compiled kernels; pose2mesh build-kernels")
    _, vertices, faces, focal, color = scene
    drawn = render(vertices, faces, VIEW._replace(focal=focal), color)
    monkeypatch.setattr(software, "_kernels", lambda: None)
    for found, expected in zip(drawn, render(vertices, faces, VIEW._replace(focal=focal), color), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert drawn[1].any()


@pytest.mark.parametrize("index", [-1, 4, 1 << 40])
def test_faces_that_name_no_vertex_are_refused(index):
    corners = np.array([[0, 0, 2], [1, 0, 2], [0, 1, 2], [1, 1, 2.0]])
    with pytest.raises(IndexError, match="name vertices"):
        rasterize(corners, np.array([[0, 1, 2], [1, 2, index]]), VIEW)
