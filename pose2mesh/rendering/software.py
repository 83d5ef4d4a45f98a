"""A z-buffer rasterizer in numpy: no GL, no display, the same bytes on every run.

The C++ kernels (`ops.native.raster`) do its three inner loops where they are installed, to the same bytes.

Scan conversion in three steps: triangles to rows, rows to samples (each one `np.repeat`), samples to the
nearest one of each pixel. Only covered samples are ever made, so the cost follows the drawn area.

Pixel (i, j) covers [i, i+1) x [j, j+1) and is sampled at its center (i + 1/2, j + 1/2). A triangle's edge
is always evaluated from its upper to its lower end, so two triangles that share it compute equal values: a
closed mesh has neither cracks nor doubly drawn samples.
"""

from types import ModuleType
from typing import NamedTuple

import numpy as np

from pose2mesh.geometry.surface import area_vectors, is_closed, mean_normals
from pose2mesh.rendering.shading import encode, light, shade

NEAR = 0.05  # metres; a triangle with a corner nearer than this is not drawn
_CHUNK = 1 << 16  # bounding-box samples rasterized at a time: bounds the memory, and fits the cache
_LIGHT_SCALE = 200.0  # light is a byte while it is interpolated, as colors are: 255 is 1.7 times white
_SLIVER = 1e-3  # square pixels (twice the area) under which a triangle has one color


Color = tuple[float, float, float] | np.ndarray  # sRGB in [0, 1], of all or of each vertex [V, C]; C = 4 with opacity


class Pinhole(NamedTuple):
    """What a camera takes of its own frame."""

    focal: float  # pixels
    center: tuple[float, float]  # (x, y) pixels
    size: tuple[int, int]  # (W, H) pixels


def render(vertices: np.ndarray, faces: np.ndarray, view: Pinhole, color: Color) -> tuple[np.ndarray, np.ndarray]:
    """Draw a mesh with smooth shading (Gouraud), both sides of each face.

    Of a closed mesh the inside is never looked at, which halves the work.

    Shapes: vertices [V, 3] m in the camera frame; faces [F, 3]. Returns rgb uint8 [H, W, C] and depth float32 [H, W]
    in m, both 0 in the background.
    """
    width, height = view.size
    vertices = np.asarray(vertices, np.float64)  # [V, 3]
    areas = area_vectors(vertices, faces)  # [F, 3]
    normals = mean_normals(areas, faces, len(vertices)).astype(np.float32)  # [V, 3]
    front = _vertex_values(normals, color)  # [V, C]; one color of all: [V, 1], its light
    back = None if is_closed(areas) else _vertex_values(-normals, color)
    drawn = _triangles(vertices, faces, view, is_closed=back is None)
    pixels, owners, inverse = _visible(drawn.corners, view.size)  # [S] each
    values = front[faces[drawn.numbers]]  # [F', 3, C]
    if back is not None:
        values[drawn.is_back] = back[faces[drawn.numbers[drawn.is_back]]]
    seen = _interpolate(drawn.corners, values, pixels, owners, width)  # [S, C]
    if not isinstance(color, np.ndarray):
        seen = np.take(encode((np.arange(256) / _LIGHT_SCALE) ** 2.2, np.array(color)), seen[:, 0], axis=0)
    rgb = np.zeros((height * width, seen.shape[1]), np.uint8)
    depth = np.zeros(height * width, np.float32)
    rgb[pixels], depth[pixels] = seen, 1 / inverse
    return rgb.reshape(height, width, -1), depth.reshape(height, width)


def _vertex_values(normals: np.ndarray, color: Color) -> np.ndarray:
    """What is interpolated between vertices with normals [V, 3], 0..255: lit colors and opacity, or the light alone."""
    if not isinstance(color, np.ndarray):
        return _LIGHT_SCALE * light(normals)[:, None] ** (1 / 2.2)
    return np.concatenate([shade(normals, color[:, :3]), 255 * color[:, 3:]], axis=1)


def _interpolate(
    corners: np.ndarray, values: np.ndarray, pixels: np.ndarray, owners: np.ndarray, width: int
) -> np.ndarray:
    """Values [F, 3, C] of triangles with corners [F, 3, 3], linear in the picture, at pixels [S] -> uint8 [S, C]."""
    values = np.asarray(values, np.float64)
    if (kernels := _kernels()) and values.shape[2] <= kernels.MOST_CHANNELS:
        return kernels.interpolate(corners, values, pixels, owners, width, _SLIVER)
    points = corners[..., :2]
    p, q = points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]  # [F, 2]
    area = p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]  # [F] twice, signed
    scale = np.divide(1, area, out=np.zeros_like(area), where=np.abs(area) > _SLIVER)[:, None]
    u, v = values[:, 1] - values[:, 0], values[:, 2] - values[:, 0]  # [F, C]
    right, down = scale * (u * q[:, 1:] - v * p[:, 1:]), scale * (v * p[:, :1] - u * q[:, :1])  # [F, C] per pixel
    middle = sum(points.swapaxes(0, 1)) / 3 - 0.5  # [F, 2]; pixels are sampled at their centers
    mean = sum(values.swapaxes(0, 1)) / 3 + 0.5  # [F, C]; the half rounds
    table = np.concatenate([middle, mean, right, down], axis=1).T.astype(np.float32)  # [2 + 3 C, F]
    y, x = np.divmod(pixels, width)
    x, y = (x - np.take(table[0], owners)).astype(np.float32), (y - np.take(table[1], owners)).astype(np.float32)
    count = values.shape[2]
    out = np.empty((len(pixels), count), np.uint8)
    for channel in range(count):
        value, across, along = (np.take(row, owners) for row in table[2 + channel :: count])
        out[:, channel] = np.clip(value + across * x + along * y, 0, 255)
    return out


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


def rasterize(vertices: np.ndarray, faces: np.ndarray, view: Pinhole) -> Hits:
    """Which triangle each pixel sees, and where on it; arguments as in `render`."""
    width = view.size[0]
    vertices = np.asarray(vertices, np.float64)  # [V, 3]
    drawn = _triangles(vertices, faces, view, is_closed=False)
    pixels, owners, _ = _visible(drawn.corners, view.size)  # [S], [S]
    points = np.stack([pixels % width, pixels // width], axis=1) + 0.5  # [S, 2]
    rays = np.column_stack([(points - view.center) / view.focal, np.ones(len(points))])  # [S, 3], z = 1
    corners = faces[drawn.numbers[owners]]  # [S, 3]
    return Hits(pixels, corners, *_barycentric(vertices, corners, rays))


def _kernels() -> ModuleType | None:
    """The C++ kernels, which do the same several times faster; None where they are missing."""
    from pose2mesh.ops.native import raster  # loads torch

    return raster if raster.is_available() else None


class _Triangles(NamedTuple):
    """The faces that may be seen."""

    numbers: np.ndarray  # [F'] in the mesh
    corners: np.ndarray  # [F', 3, 3] x and y in pixels, and 1/z, which is linear in the picture, unlike z
    is_back: np.ndarray  # [F'] whether their inside is seen


def _triangles(vertices: np.ndarray, faces: np.ndarray, view: Pinhole, *, is_closed: bool) -> _Triangles:
    """Faces before the camera that cover a sample; of a closed mesh only those that turn their outside to it."""
    if len(faces) and not 0 <= faces.min() <= faces.max() < len(vertices):
        raise IndexError(f"faces name vertices {faces.min()} to {faces.max()}, but there are {len(vertices)}")
    if kernels := _kernels():
        return _Triangles(*kernels.triangles(vertices, faces, *view, is_closed, NEAR))
    far = vertices[:, 2] > NEAR  # [V]
    inverse = 1 / np.where(far, vertices[:, 2], 1)
    points = np.stack([*(view.focal * vertices[:, :2] * inverse[:, None] + view.center).T, inverse])  # [3, V]
    a, b, c = (points[:, faces[:, k]] for k in range(3))  # [3, F] each
    is_back = (b[0] - a[0]) * (c[1] - a[1]) > (b[1] - a[1]) * (c[0] - a[0])  # [F]
    kept = far[faces[:, 0]] & far[faces[:, 1]] & far[faces[:, 2]]
    kept &= np.isfinite(sum(a[:2] + b[:2] + c[:2]))
    if is_closed:
        kept &= ~is_back
    for axis in range(2):  # most faces of a distant mesh cover no sample at all
        low, high = (np.ceil(end - 0.5) for end in _ends(a[axis], b[axis], c[axis]))
        kept &= np.minimum(high, view.size[axis]) > np.maximum(low, 0)
    numbers = np.flatnonzero(kept)
    return _Triangles(numbers, np.stack([corner[:, numbers].T for corner in (a, b, c)], axis=1), is_back[numbers])


def _visible(corners: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels covered by any triangle [F, 3, 3], and for each the nearest triangle and its 1/z: [S] each."""
    kernels = _kernels()
    owner, nearest = (kernels.visible if kernels else _nearest)(corners, size)
    pixels = np.flatnonzero(owner >= 0)
    return pixels, owner[pixels], nearest[pixels]


def _nearest(corners: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of triangles [F, 3, 3] for each pixel (-1: none) and its 1/z, [H W] each."""
    width, height = size
    low, high = _ends(*corners[..., :2].transpose(1, 2, 0))  # [2, F] each
    extent = np.clip((high - low).T, 1, size).prod(axis=1)  # [F] samples in the bounding box
    nearest = np.zeros(height * width)  # 1/z
    owner = np.full(height * width, -1, np.int64)
    chunk_of = (np.cumsum(extent) // _CHUNK).astype(np.int64)  # [F]
    for chunk in np.split(np.arange(len(corners)), np.flatnonzero(np.diff(chunk_of)) + 1):
        triangle, pixel, inverse = _samples(corners[chunk], size)
        np.maximum.at(nearest, pixel, inverse)
        wins = inverse == nearest[pixel]
        owner[pixel[wins]] = chunk[triangle[wins]]  # equal depths: the last face, always the same one
    return owner, nearest


def _samples(corners: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scan-convert triangles [F, 3, 3]: triangle, pixel and 1/z of each sample, [S] each."""
    width, height = size
    order = np.lexsort((corners[..., 0], corners[..., 1]), axis=1)  # [F, 3] by y, then x
    a, b, c = np.take_along_axis(corners, order[..., None], axis=1).transpose(1, 2, 0)  # [3, F] each
    top = np.maximum(np.ceil(a[1] - 0.5), 0).astype(np.int64)  # [F]
    bottom = np.minimum(np.ceil(c[1] - 0.5), height).astype(np.int64)  # [F], exclusive
    triangle, row = _expand(top, bottom)  # [R], [R]
    least, most = _ends(a[2], b[2], c[2])  # [F]; slivers must not extrapolate
    table = [*a, *b[:2], _slant(a, c), _slant(a, b), _slant(b, c), *_inverse_depth_slope(a, b, c), least, most]
    ax, ay, az, bx, by, ac, ab, bc, right, down, least, most = np.take(np.array(table), triangle, axis=1)  # [R] each
    y = row + 0.5
    ends = ax + (y - ay) * ac, np.where(y < by, ax + (y - ay) * ab, bx + (y - by) * bc)  # x of the two edges
    first = np.clip(np.ceil(np.minimum(*ends) - 0.5), 0, width)  # [R]
    count = np.clip(np.ceil(np.maximum(*ends) - 0.5), 0, width) - first  # [R]
    start = az + down * (y - ay) + right * (first + 0.5 - ax)  # [R] 1/z at the first sample
    stop = np.clip(start + right * (count - 1), least, most)
    start = np.clip(start, least, most)
    step = (stop - start) / np.maximum(count - 1, 1)
    count = count.astype(np.int64)
    before = np.cumsum(count) - count  # [R] samples of earlier rows
    within = np.arange(count.sum())
    return (
        np.repeat(triangle, count),
        np.repeat(row * width + first.astype(np.int64) - before, count) + within,
        np.repeat(start, count) + np.repeat(step, count) * (within - np.repeat(before, count)),
    )


def _ends(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least and the most of three: along an axis of three, numpy's reductions take several times as long."""
    return np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)


def _expand(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write the ranges [first, last) out: index of the range and the value, for every value."""
    count = np.maximum(last - first, 0)
    index = np.repeat(np.arange(len(count)), count)
    within = np.arange(len(index)) - np.repeat(np.cumsum(count) - count, count)
    return index, first[index] + within


def _slant(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Change of x per pixel down, [F], along the edges from `upper` to `lower`, [3, F] each; 0 for a level one."""
    rise = lower[1] - upper[1]
    return np.divide(lower[0] - upper[0], rise, out=np.zeros_like(rise), where=rise > 0)


def _inverse_depth_slope(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Change of 1/z per pixel to the right and per pixel down, [2, F], of corners [3, F]; zero where edge-on."""
    p, q = b - a, c - a  # [3, F]
    area = p[0] * q[1] - p[1] * q[0]  # [F] twice, signed
    slope = np.stack([p[2] * q[1] - p[1] * q[2], p[0] * q[2] - p[2] * q[0]])
    return np.divide(slope, area, out=np.zeros_like(slope), where=area != 0)


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
