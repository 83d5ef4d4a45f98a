"""Colors of a body's vertices: made-up clothes, and the completion of what a photo does not show."""

import colorsys

import numpy as np
from scipy.sparse import csr_matrix, diags
from scipy.spatial import KDTree

from pose2mesh.body_models.anny import AnnyBody

_SMOOTHING = 12  # rounds of averaging over neighbors where colors were made up
_PARTS = {  # what a static texture paints in one color, by the beginnings of the bones' names
    "shirt": ("spine", "clavicle", "shoulder", "breast", "upperarm", "lowerarm"),
    "trousers": ("root", "pelvis", "upperleg", "lowerleg"),
    "shoes": ("foot", "toe"),
}


class VertexColors:
    """Colors [V,3] in [0, 1] of a body's vertices."""

    def __init__(self, body: AnnyBody):
        rest = body.v_template.numpy()  # [V, 3]
        self.rest, self.faces = rest, body.faces.numpy()
        self.mirror = KDTree(rest).query(rest * [-1, 1, 1])[1]  # [V]
        count, ends = len(rest), np.concatenate([self.faces[:, [0, 1]], self.faces[:, [1, 2]], self.faces[:, [2, 0]]])
        edges = csr_matrix((np.ones(2 * len(ends)), np.concatenate([ends, ends[:, ::-1]]).T), (count, count))
        edges.data[:] = 1
        degree = np.maximum(np.asarray(edges.sum(1)).ravel(), 1)
        self.average = diags(1 / degree) @ edges  # [V, V] mean of the neighbors
        bone = [body.bone_names[index] for index in body.weights.argmax(1).tolist()]
        parts = {name: next((p for p, starts in _PARTS.items() if name.startswith(starts)), "skin") for name in bone}
        self.parts = np.array([parts[name] for name in bone])  # [V]
        self.parts[_hair(rest, np.array(bone) == "head")] = "hair"

    def complete(self, colors: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """Colors [V,3] that are known where `seen` [V]: else the mirror partner's, else the nearest known."""
        if not seen.any():
            return colors
        out = colors.copy()
        partner = ~seen & seen[self.mirror]
        out[partner] = colors[self.mirror[partner]]  # pyright: ignore[reportIndexIssue]
        known = seen | partner
        nearest = KDTree(self.rest[known]).query(self.rest[~known])[1]
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


def _hair(rest: np.ndarray, is_head: np.ndarray) -> np.ndarray:
    """[V] True on the scalp: behind the ears, and farther forward the higher."""
    low, high = rest[is_head].min(0), rest[is_head].max(0)
    _, height, forward = ((rest - low) / (high - low)).T  # [V] each, shares of the head
    return is_head & (height > 0.3) & (forward < 0.35 + 1.2 * np.maximum(height - 0.55, 0))
