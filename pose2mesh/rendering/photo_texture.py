"""The texture model T(I) of DAPA: the colors of a body's surface from one photo, as a picture in UV space.

What the photo shows is projected onto the texels, the other side of the body is taken from its mirror image, and the
rest is painted in from the nearest known vertices. The published model learns a flow into UV space; this one needs no
training.
"""

import numpy as np

from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.geometry.surface import vertex_normals
from pose2mesh.rendering.textures import VertexColors
from pose2mesh.rendering.unwrapping import Unwrapping, sample

_TOLERANCE = 0.02  # metres that a point may lie behind the surface that its pixel sees
_LEAST_FACING = 0.25  # cosine between normal and view; flatter surface takes the color of the background
_EDGE = 2  # texels beside what the photo shows that continue it, so that its outlines do not tear
_GRAY = 0.5


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
        hits = self.unwrapping.rasterize(vertices, focal, (size / 2, size / 2), (size, size))
        out = background.reshape(-1, 3).copy()
        out[hits.pixels] = np.rint(255 * self.unwrapping.look_up(texture, hits).clip(0, 1)).astype(np.uint8)
        return out.reshape(background.shape)

    def depth(self, vertices: np.ndarray, focal: float, center: tuple[float, float], size: int) -> np.ndarray:
        """[size, size] m of the surface, minus infinity beside it."""
        hits = self.unwrapping.rasterize(vertices, focal, center, (size, size))
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
