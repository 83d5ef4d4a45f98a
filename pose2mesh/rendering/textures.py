"""The texture model T(I): colors of a body's surface from one photo, completed by symmetry and inpainting.

The published model unwraps the body to a UV picture. Here the colors live on the 13,718 vertices, which resolve more
than a 224-pixel picture of the body does: symmetry is a permutation, and inpainting walks over edges instead of seams.
"""

import colorsys

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.sparse import csr_matrix, diags
from scipy.spatial import cKDTree

from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.geometry.surface import vertex_normals
from pose2mesh.rendering.software import rasterize

_TOLERANCE = 0.02  # metres that a vertex may lie behind the surface that its pixel sees
_LEAST_FACING = 0.25  # cosine between normal and view; flatter surface takes the color of the background
_SMOOTHING = 12  # rounds of averaging over neighbors where colors were made up
_PARTS = {  # what a static texture paints in one color, by the beginnings of the bones' names
    "shirt": ("spine", "clavicle", "shoulder", "breast", "upperarm", "lowerarm"),
    "trousers": ("root", "pelvis", "upperleg", "lowerleg"),
    "shoes": ("foot", "toe"),
}
_MAY_BE_BARE = ("lowerarm", "lowerleg")


class TextureModel:
    """Colors [V,3] in [0, 1] of a body's vertices."""

    def __init__(self, body: AnnyBody):
        rest = body.v_template.numpy()  # [V, 3]
        self.rest, self.faces = rest, body.faces.numpy()
        self.mirror = cKDTree(rest).query(rest * [-1, 1, 1])[1]  # [V]
        count, ends = len(rest), np.concatenate([self.faces[:, [0, 1]], self.faces[:, [1, 2]], self.faces[:, [2, 0]]])
        edges = csr_matrix((np.ones(2 * len(ends)), np.concatenate([ends, ends[:, ::-1]]).T), (count, count))
        edges.data[:] = 1
        degree = np.maximum(np.asarray(edges.sum(1)).ravel(), 1)
        self.average = diags(1 / degree) @ edges  # [V, V] mean of the neighbors
        bone = [body.bone_names[index] for index in body.weights.argmax(1).tolist()]
        self.parts = np.array([_part_of(name) for name in bone])  # [V]
        self.parts[_hair(rest, np.array(bone) == "head")] = "hair"
        self.forearms, self.shins = (np.array([name.startswith(limb) for name in bone]) for limb in _MAY_BE_BARE)

    def visible(self, vertices: np.ndarray, focal: float, center: tuple[float, float], size: int) -> np.ndarray:
        """[V] True where a picture [size,size] shows the vertex; vertices [V,3] m in the camera frame."""
        hits = rasterize(vertices, self.faces, focal, center, (size, size))
        depth = np.full(size * size, -np.inf)
        depth[hits.pixels] = hits.interpolate(vertices[:, 2])
        at = np.floor(_project(vertices, focal, center)).astype(int)  # [V, 2]
        inside = ((at >= 0) & (at < size)).all(1)
        pixel = np.where(inside, at[:, 1] * size + at[:, 0], 0)
        facing = -(vertex_normals(vertices, self.faces) * _unit(vertices)).sum(1)  # [V]
        return inside & (vertices[:, 2] <= depth[pixel] + _TOLERANCE) & (facing > _LEAST_FACING)

    def from_photo(
        self, image: np.ndarray, vertices: np.ndarray, focal: float, center: tuple[float, float]
    ) -> np.ndarray:
        """T(I) [V,3]: colors of the visible vertices from image uint8 [S,S,3], the others completed.

        A photo that shows no vertex gives mid gray.
        """
        seen = self.visible(vertices, focal, center, len(image))
        at = _project(vertices[seen], focal, center) - 0.5  # pixel centers
        colors = np.full((len(vertices), 3), 0.5)
        for channel in range(3):
            picked = map_coordinates(image[..., channel].astype(np.float32), at[:, ::-1].T, order=1, mode="nearest")
            colors[seen, channel] = picked / 255
        return self.complete(colors, seen)

    def complete(self, colors: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """Colors [V,3] that are known where `seen` [V]: else the mirror partner's, else the nearest known."""
        if not seen.any():
            return colors
        out = colors.copy()
        partner = ~seen & seen[self.mirror]
        out[partner] = colors[self.mirror[partner]]
        known = seen | partner
        nearest = cKDTree(self.rest[known]).query(self.rest[~known])[1]
        out[~known] = out[known][nearest]
        for _ in range(_SMOOTHING):
            out[~known] = (self.average @ out)[~known]
        return out

    def static(self, rng: np.random.Generator) -> np.ndarray:
        """A made-up texture [V,3]: skin, hair, one color each for shirt, trousers and shoes (the paper's ablation)."""
        light = rng.uniform(0.25, 0.95)
        dark = rng.uniform(0.05, 0.6)
        palette = {"skin": light * np.array([1, 0.76, 0.62]), "hair": dark * np.array([1, 0.8, 0.6])}
        for part in _PARTS:
            palette[part] = np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0, 0.8), rng.uniform(0.1, 0.95)))
        return np.stack([palette[part] for part in self.parts])

    def striped(self, rng: np.random.Generator) -> np.ndarray:
        """Another wardrobe [V,3]: `static` with stripes around the shirt, half the time short sleeves or shorts."""
        colors, other = self.static(rng), np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0, 0.8), rng.random()))
        is_band = np.floor(self.rest[:, 1] / rng.uniform(0.04, 0.12)) % 2 == 0
        colors[is_band & (self.parts == "shirt")] = other
        skin = colors[self.parts == "skin"][0]
        for limb in (self.forearms, self.shins):
            if rng.random() < 0.5:
                colors[limb] = skin
        return colors


def render_textured(
    vertices: np.ndarray, faces: np.ndarray, colors: np.ndarray, focal: float, background: np.ndarray
) -> np.ndarray:
    """A body before a background uint8 [S,S,3], in the colors [V,3] of its vertices, without further light.

    The light of a photo is part of its colors, so the published renderer has ambient light alone, too. vertices [V,3] m
    in the frame of a camera whose axis meets the middle of the picture.
    """
    size = len(background)
    hits = rasterize(vertices, faces, focal, (size / 2, size / 2), (size, size))
    out = background.reshape(-1, 3).copy()
    out[hits.pixels] = np.rint(255 * hits.interpolate(colors).clip(0, 1)).astype(np.uint8)
    return out.reshape(background.shape)


def _project(vertices: np.ndarray, focal: float, center: tuple[float, float]) -> np.ndarray:
    return focal * vertices[:, :2] / vertices[:, 2:] + np.asarray(center)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _hair(rest: np.ndarray, is_head: np.ndarray) -> np.ndarray:
    """[V] True on the scalp: behind the ears, and farther forward the higher."""
    low, high = rest[is_head].min(0), rest[is_head].max(0)
    _, height, forward = ((rest - low) / (high - low)).T  # [V] each, shares of the head
    return is_head & (height > 0.3) & (forward < 0.35 + 1.2 * np.maximum(height - 0.55, 0))


def _part_of(bone: str) -> str:
    return next((part for part, starts in _PARTS.items() if bone.startswith(starts)), "skin")
