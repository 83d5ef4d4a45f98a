"""The surface of a body laid flat: pictures in UV space, from the mesh to their texels, from a camera's pixels back."""

import itertools

import numpy as np
from scipy.ndimage import distance_transform_edt, map_coordinates
from scipy.spatial import KDTree

from pose2mesh.rendering.software import Hits, rasterize

SIDE = (
    256  # texels of a picture's side; a body in a 224-pixel photo covers some 20,000 pixels, half of the texels' number
)
# Shifts of the grid in texels, the smaller ones first.
_RIM = sorted(itertools.product((0, 0.5, -0.5, 1, -1), repeat=2), key=lambda shift: np.hypot(*shift))  # pyright: ignore[reportArgumentType, reportCallIssue]


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
            seen = rasterize(flat, self.uv_faces, self.side, (x, y), (self.side, self.side))
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

    def rasterize(self, vertices: np.ndarray, focal: float, center: tuple[float, float], size: tuple[int, int]) -> Hits:
        """What a camera sees of the mesh; interpolates the corners of the charts, that is `vertices[vertex_of]`."""
        return rasterize(vertices[self.vertex_of], self.uv_faces, focal, center, size)

    def look_up(self, picture: np.ndarray, hits: Hits) -> np.ndarray:
        """Colors [S, 3] of a UV picture [side, side, 3] where a camera sees the mesh, between texels linearly."""
        at = hits.interpolate(self.uv) * self.side - 0.5  # [S, 2] texels' centers
        return sample(picture, at)


def sample(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Colors [S, 3] of a picture [H, W, 3] at points [S, 2] (x, y), (0, 0) being the middle of the first pixel."""
    channels = (picture[..., channel].astype(np.float64) for channel in range(3))
    return np.stack([map_coordinates(c, points[:, ::-1].T, order=1, mode="nearest") for c in channels], axis=-1)
