"""A z-buffer rasterizer in numpy: no GL, no display, the same bytes on every run.

Scan conversion in three steps: triangles to rows, rows to samples (each one `np.repeat`), samples to the
nearest one of each pixel. Only covered samples are ever made, so the cost follows the drawn area.

Pixel (i, j) covers [i, i+1) x [j, j+1) and is sampled at its center (i + 1/2, j + 1/2). A triangle's edge
is always evaluated from its upper to its lower end, so two triangles that share it compute equal values: a
closed mesh has neither cracks nor doubly drawn samples.
"""

from typing import NamedTuple

import numpy as np

from pose2mesh.geometry.surface import vertex_normals
from pose2mesh.rendering.shading import shade

NEAR = 0.05  # metres; a triangle with a corner nearer than this is not drawn
_CHUNK = 1 << 19  # bounding-box samples rasterized at a time: bounds the memory, and fits the cache


def render(
    vertices: np.ndarray,
    faces: np.ndarray,
    focal: float,
    center: tuple[float, float],
    size: tuple[int, int],
    color: tuple[float, float, float] | np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a mesh with smooth shading, both sides of each face, perspective-correct.

    Shapes: vertices [V, 3] m in the camera frame; faces [F, 3]; focal and center (x, y) in pixels; size
    (W, H); color sRGB in [0, 1], of all or of each vertex [V, 3]. Returns rgb uint8 [H, W, 3] and depth
    float32 [H, W] in m, both 0 in the background.
    """
    width, height = size
    hits = rasterize(vertices, faces, focal, center, size)
    rgb = np.zeros((height * width, 3), np.uint8)
    depth = np.zeros(height * width, np.float32)
    if len(hits.pixels):
        vertices = np.asarray(vertices, np.float64)  # [V, 3]
        depth[hits.pixels] = hits.interpolate(vertices[:, 2])
        normal = hits.interpolate(vertex_normals(vertices, faces))  # [S, 3]
        normal *= (-hits.facing / np.maximum(np.linalg.norm(normal, axis=1), 1e-12))[:, None]
        seen = hits.interpolate(color) if isinstance(color, np.ndarray) else color
        rgb[hits.pixels] = shade(normal.astype(np.float32), seen)
    return rgb.reshape(height, width, 3), depth.reshape(height, width)


class Hits(NamedTuple):
    """Where the rays of pixels meet the nearest triangle of a mesh."""

    pixels: np.ndarray  # [S] row-major numbers of the covered pixels
    corners: np.ndarray  # [S, 3] vertices of the triangle that is seen there
    weights: np.ndarray  # [3, S] barycentric, on the surface, not in the picture
    facing: np.ndarray  # [S] -1 where the outside is seen, 1 the inside

    def interpolate(self, values: np.ndarray) -> np.ndarray:
        """Values of the vertices [V] or [V, C] where the pixels see them, [S] or [S, C]."""
        weights = self.weights if values.ndim == 1 else self.weights[..., None]
        return sum(weights[k] * values[self.corners[:, k]] for k in range(3))  # pyright: ignore[reportReturnType]


def rasterize(
    vertices: np.ndarray, faces: np.ndarray, focal: float, center: tuple[float, float], size: tuple[int, int]
) -> Hits:
    """Which triangle each pixel sees, and where on it; arguments as in `render`."""
    width = size[0]
    vertices = np.asarray(vertices, np.float64)  # [V, 3]
    drawn = faces[(vertices[faces, 2] > NEAR).all(axis=1)]  # [F', 3]
    pixels, triangles = _visible(_project(vertices, drawn, focal, center), size)  # [S], [S]
    points = np.stack([pixels % width, pixels // width], axis=1) + 0.5  # [S, 2]
    rays = np.column_stack([(points - center) / focal, np.ones(len(points))])  # [S, 3], z = 1
    corners = drawn[triangles]  # [S, 3]
    return Hits(pixels, corners, *_barycentric(vertices, corners, rays))


def _project(vertices: np.ndarray, faces: np.ndarray, focal: float, center: tuple[float, float]) -> np.ndarray:
    """Corners of each face as (x, y) in pixels and 1/z, sorted by y (then x): [F, 3, 3]."""
    corners = vertices[faces]  # [F, 3, 3]
    inverse = 1 / corners[..., 2:]  # [F, 3, 1]; linear in the picture, unlike z
    corners = np.concatenate([focal * corners[..., :2] * inverse + np.asarray(center), inverse], axis=2)
    order = np.lexsort((corners[..., 0], corners[..., 1]), axis=1)  # [F, 3]
    return np.take_along_axis(corners, order[..., None], axis=1)


def _visible(corners: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Pixels covered by any triangle, and for each the nearest triangle: [S], [S]."""
    width, height = size
    low = np.clip(np.ceil(corners[..., :2].min(1) - 0.5), 0, size)  # [F, 2]
    high = np.clip(np.ceil(corners[..., :2].max(1) - 0.5), 0, size)  # [F, 2], exclusive
    kept = np.flatnonzero((high > low).all(axis=1))  # most faces of a distant mesh cover no sample at all
    area = (high[kept] - low[kept]).prod(axis=1)  # [F'] samples in the bounding box
    nearest = np.zeros(height * width)  # 1/z
    owner = np.full(height * width, -1, np.int64)
    chunk_of = (np.cumsum(area) // _CHUNK).astype(np.int64)  # [F']
    for chunk in np.split(kept, np.flatnonzero(np.diff(chunk_of)) + 1):
        triangle, pixel, inverse = _samples(corners[chunk], size)
        np.maximum.at(nearest, pixel, inverse)
        wins = inverse == nearest[pixel]
        owner[pixel[wins]] = chunk[triangle[wins]]  # equal depths: the last face, always the same one
    pixels = np.flatnonzero(owner >= 0)
    return pixels, owner[pixels]


def _samples(corners: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scan-convert triangles [F, 3, 3] sorted by y: triangle, pixel and 1/z of each sample, [S] each."""
    width, height = size
    top = np.clip(np.ceil(corners[:, 0, 1] - 0.5), 0, height).astype(np.int64)  # [F]
    bottom = np.clip(np.ceil(corners[:, 2, 1] - 0.5), 0, height).astype(np.int64)  # [F], exclusive
    triangle, row = _expand(top, bottom)  # [R], [R]
    a, b, c = corners[triangle].transpose(1, 2, 0)  # [3, R] each
    y = row + 0.5
    in_upper = y < b[1]
    ends = np.sort([_cross_x(a, c, y), _cross_x(np.where(in_upper, a, b), np.where(in_upper, b, c), y)], axis=0)
    first, last = np.clip(np.ceil(ends - 0.5), 0, width).astype(np.int64)  # [R], last exclusive
    span, x = _expand(first, last)  # [S], [S]
    slope = _inverse_depth_slope(corners)[triangle]  # [R, 2]
    at_zero = a[2] + slope[:, 1] * (y - a[1]) + slope[:, 0] * (0.5 - a[0])  # [R] 1/z at x = 1/2
    bounds = np.sort(corners[..., 2], axis=1)[triangle]  # [R, 3]; slivers must not extrapolate
    inverse = np.clip(at_zero[span] + slope[span, 0] * x, bounds[span, 0], bounds[span, 2])  # [S]
    return triangle[span], row[span] * width + x, inverse


def _expand(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write the ranges [first, last) out: index of the range and the value, for every value."""
    count = np.maximum(last - first, 0)
    index = np.repeat(np.arange(len(count)), count)
    within = np.arange(len(index)) - np.repeat(np.cumsum(count) - count, count)
    return index, first[index] + within


def _cross_x(upper: np.ndarray, lower: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Where the edge from `upper` to `lower`, [3, R] each as (x, y, 1/z), crosses the height y: x, [R]."""
    rise = lower[1] - upper[1]
    fraction = np.divide(y - upper[1], rise, out=np.zeros_like(y), where=rise > 0)
    return upper[0] + fraction * (lower[0] - upper[0])


def _inverse_depth_slope(corners: np.ndarray) -> np.ndarray:
    """Change of 1/z per pixel to the right and per pixel down, [F, 2]; zero for a triangle seen edge-on."""
    p, q = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]  # [F, 3]
    area = p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]  # [F] twice, signed
    slope = np.stack([p[:, 2] * q[:, 1] - p[:, 1] * q[:, 2], p[:, 0] * q[:, 2] - p[:, 2] * q[:, 0]], axis=1)
    return np.divide(slope, area[:, None], out=np.zeros_like(slope), where=area[:, None] != 0)


def _barycentric(vertices: np.ndarray, seen: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights [3, S] of the corners where the rays [S, 3] (z = 1) meet their triangles `seen` [S, 3]; facing [S]."""
    a, b, c = (vertices[seen[:, k]] for k in range(3))  # [S, 3] each
    # The ray meets the triangle's plane where its barycentric weights are these triple products.
    weights = np.stack([_triple(rays, b, c), _triple(rays, c, a), _triple(rays, a, b)])  # [3, S]
    facing = np.sign(weights.sum(axis=0))  # [S]; -1 from outside, because the rays run into the surface
    weights = np.maximum(weights * facing, 0)  # a sample's center may lie outside by rounding
    total = weights.sum(axis=0)
    return np.where(total > 0, weights / np.where(total > 0, total, 1), 1 / 3), facing


def _triple(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Determinant of three vectors [S, 3] -> [S]."""
    return np.einsum("sk,sk->s", a, np.cross(b, c))
