"""The texture model T(I) of DAPA: the colors of a body's surface from one photo, as a picture in UV space.

What the photo shows is projected onto the texels, the other side of the body is taken from its mirror image, and the
rest is painted in from the nearest known vertices. The published model learns a flow into UV space; this one needs no
training.
"""

import itertools

import numpy as np
from scipy.ndimage import distance_transform_edt, map_coordinates
from scipy.spatial import KDTree

from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.geometry.surface import vertex_normals
from pose2mesh.rendering.software import Hits, Pinhole, rasterize
from pose2mesh.rendering.textures import VertexColors

# Texels of a picture's side; a body in a 224-pixel photo covers some 20,000 pixels, half of the texels' number.
SIDE = 256
# Shifts of the grid in texels, the smaller ones first.
_RIM = sorted(itertools.product((0, 0.5, -0.5, 1, -1), repeat=2), key=lambda shift: np.hypot(*shift))  # pyright: ignore[reportArgumentType, reportCallIssue]
_TOLERANCE = 0.02  # metres that a point may lie behind the surface that its pixel sees
_LEAST_FACING = 0.25  # cosine between normal and view; flatter surface takes the color of the background
_EDGE = 2  # texels beside what the photo shows that continue it, so that its outlines do not tear
_GRAY = 0.5


class Unwrapping:
    """Where each texel of a UV picture lies on a mesh. Texels between the charts repeat the nearest one of a chart."""

    def __init__(self, rest: np.ndarray, faces: np.ndarray, uv: np.ndarray, uv_faces: np.ndarray, side: int = SIDE):
        """Shapes: rest [V, 3] m, symmetric in x; faces [F, 3]; uv [T, 2] in [0, 1]; uv_faces [F, 3], rows of uv."""
        self.uv, self.uv_faces, self.side = uv.astype(np.float64), uv_faces, side
        self.vertex_of = np.zeros(len(uv), np.int64)  # [T] a corner of a chart belongs to one vertex
        self.vertex_of[uv_faces] = faces
        self.texels, self._charts = self._lay_out()  # [N] row-major
        is_gap = np.ones(side * side, bool)
        is_gap[self.texels] = False
        self._nearest = distance_transform_edt(
            is_gap.reshape(side, side), return_distances=False, return_indices=True
        )  # [2, side, side]
        points = self.on_mesh(rest)
        self.mirror = KDTree(points).query(points * [-1, 1, 1])[1]  # [N] the texel on the other side of the body

    def _lay_out(self) -> tuple[np.ndarray, Hits]:
        """Texels and where they lie on the mesh: what a chart covers, and a rim as wide as linear lookup reaches.

        A texel of the rim shows the nearest of the chart's points that a shifted grid of texels finds.
        """
        flat = np.column_stack([self.uv, np.ones(len(self.uv))])  # texels are the pixels of a camera
        free = np.ones(self.side * self.side, bool)
        parts = []
        for x, y in _RIM:
            seen = rasterize(flat, self.uv_faces, Pinhole(self.side, (x, y), (self.side, self.side)))
            new = free[seen.pixels]
            free[seen.pixels] = False
            corners = self.vertex_of[seen.corners[new]]
            parts.append(Hits(seen.pixels[new], corners, seen.weights[:, new], seen.facing[new]))
        pixels, corners, weights, facing = zip(*parts, strict=True)
        found = Hits(*map(np.concatenate, (pixels, corners)), np.concatenate(weights, 1), np.concatenate(facing))  # pyright: ignore[reportCallIssue]
        return found.pixels, found

    def on_mesh(self, values: np.ndarray) -> np.ndarray:
        """Values of the vertices [V, C] at the texels [N, C]."""
        return self._charts.interpolate(values)

    def picture(self, colors: np.ndarray) -> np.ndarray:
        """Colors of the texels [N, 3] as a picture [side, side, 3]."""
        out = np.zeros((self.side * self.side, 3))
        out[self.texels] = colors
        return out.reshape(self.side, self.side, 3)[tuple(self._nearest)]  # pyright: ignore[reportArgumentType]

    def around(self, chosen: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
        """Texels that are not chosen [N] but within `reach` of one that is, and the nearest chosen: their numbers."""
        is_chosen = np.zeros(self.side * self.side, bool)
        is_chosen[self.texels[chosen]] = True
        number = np.zeros(self.side * self.side, np.int64)
        number[self.texels] = np.arange(len(self.texels))
        distance, (rows, columns) = distance_transform_edt(~is_chosen.reshape(self.side, -1), return_indices=True)  # pyright: ignore[reportGeneralTypeIssues]
        at, nearest = distance.ravel()[self.texels], (rows * self.side + columns).ravel()[self.texels]  # [N]
        beside = np.flatnonzero((at > 0) & (at <= reach))
        return beside, number[nearest[beside]]

    def rasterize(self, vertices: np.ndarray, view: Pinhole) -> Hits:
        """What a camera sees of the mesh; interpolates the corners of the charts, that is `vertices[vertex_of]`."""
        return rasterize(vertices[self.vertex_of], self.uv_faces, view)

    def look_up(self, picture: np.ndarray, hits: Hits) -> np.ndarray:
        """Colors [S, 3] of a UV picture [side, side, 3] where a camera sees the mesh, between texels linearly."""
        at = hits.interpolate(self.uv) * self.side - 0.5  # [S, 2] texels' centers
        return sample(picture, at)


def sample(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Colors [S, 3] of a picture [H, W, 3] at points [S, 2] (x, y), (0, 0) being the middle of the first pixel."""
    channels = (picture[..., channel].astype(np.float64) for channel in range(3))
    return np.stack([map_coordinates(c, points[:, ::-1].T, order=1, mode="nearest") for c in channels], axis=-1)


class PhotoTexture:
    """UV pictures [256, 256, 3] in [0, 1] of a body, and pictures of the body that wears them."""

    def __init__(self, body: AnnyBody):
        self.vertex_colors = VertexColors(body)
        self.faces = body.faces.numpy()
        self.unwrapping = Unwrapping(body.v_template.numpy(), self.faces, body.uv.numpy(), body.uv_faces.numpy())

    def static(self, rng: np.random.Generator) -> np.ndarray:
        """A made-up texture, one color each for skin, hair, shirt, trousers and shoes (the paper's ablation)."""
        return self.unwrapped(self.vertex_colors.static(rng))

    def unwrapped(self, colors: np.ndarray) -> np.ndarray:
        """Colors of the vertices [V, 3] as a UV picture."""
        return self.unwrapping.picture(self.unwrapping.on_mesh(colors))

    def from_photo(
        self, image: np.ndarray, vertices: np.ndarray, focal: float, center: tuple[float, float]
    ) -> np.ndarray:
        """T(I) from image uint8 [S, S, 3] of a body whose vertices [V, 3] m are in the camera frame.

        A photo that shows nothing of the body gives mid gray.
        """
        normals = vertex_normals(vertices, self.faces)
        depth = self.depth(vertices, focal, center, len(image))
        known = _is_seen(vertices, normals, depth, focal, center)  # [V]
        guess = np.full((len(vertices), 3), _GRAY)
        guess[known] = sample(image, _pixels(vertices[known], focal, center)) / 255
        colors = self.unwrapping.on_mesh(self.vertex_colors.complete(guess, known))  # [N, 3] where nothing is better
        points, mirror = self.unwrapping.on_mesh(vertices), self.unwrapping.mirror  # [N, 3], [N]
        seen = _is_seen(points, self.unwrapping.on_mesh(normals), depth, focal, center)  # [N]
        colors[seen] = sample(image, _pixels(points[seen], focal, center)) / 255
        partner = ~seen & seen[mirror]
        colors[partner] = colors[mirror[partner]]  # pyright: ignore[reportIndexIssue]
        edge, source = self.unwrapping.around(seen, _EDGE)
        colors[edge] = colors[source]
        return self.unwrapping.picture(colors)

    def render(self, vertices: np.ndarray, texture: np.ndarray, focal: float, background: np.ndarray) -> np.ndarray:
        """A body in a texture before a background uint8 [S, S, 3], without further light.

        The light of a photo is part of its colors, so the published renderer has ambient light alone, too. vertices
        [V, 3] m in the frame of a camera whose axis meets the middle of the picture.
        """
        size = len(background)
        hits = self.unwrapping.rasterize(vertices, Pinhole(focal, (size / 2, size / 2), (size, size)))
        out = background.reshape(-1, 3).copy()
        out[hits.pixels] = np.rint(255 * self.unwrapping.look_up(texture, hits).clip(0, 1)).astype(np.uint8)
        return out.reshape(background.shape)

    def depth(self, vertices: np.ndarray, focal: float, center: tuple[float, float], size: int) -> np.ndarray:
        """[size, size] m of the surface, minus infinity beside it."""
        hits = self.unwrapping.rasterize(vertices, Pinhole(focal, center, (size, size)))
        depth = np.full(size * size, -np.inf)
        depth[hits.pixels] = hits.interpolate(vertices[self.unwrapping.vertex_of, 2])
        return depth.reshape(size, size)


def _is_seen(
    points: np.ndarray, normals: np.ndarray, depth: np.ndarray, focal: float, center: tuple[float, float]
) -> np.ndarray:
    """[N] True where a picture with the surface's depth [S, S] shows a point [N, 3] of it."""
    at = np.floor(_pixels(points, focal, center) + 0.5).astype(int)  # [N, 2]
    inside = ((at >= 0) & (at < len(depth))).all(1)
    x, y = np.where(inside[:, None], at, 0).T  # pyright: ignore[reportIndexIssue]
    lengths = np.linalg.norm(normals, axis=1) * np.linalg.norm(points, axis=1)
    facing = -(normals * points).sum(1) / np.maximum(lengths, 1e-12)
    return inside & (points[:, 2] <= depth[y, x] + _TOLERANCE) & (facing > _LEAST_FACING)


def _pixels(points: np.ndarray, focal: float, center: tuple[float, float]) -> np.ndarray:
    """Points [N, 3] m to pixels [N, 2], (0, 0) being the middle of the first one."""
    return focal * points[:, :2] / points[:, 2:] + np.asarray(center) - 0.5
