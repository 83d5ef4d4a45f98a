"""Other clothes than those that synthesis trains with: stripes, short sleeves, shorts."""

import colorsys

import numpy as np

from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.rendering.textures import VertexColors

_MAY_BE_BARE = ("lowerarm", "lowerleg")


class Wardrobe(VertexColors):
    """Colors [V,3] in [0, 1] of a body's vertices."""

    def __init__(self, body: AnnyBody):
        super().__init__(body)
        bone = [body.bone_names[index] for index in body.weights.argmax(1).tolist()]
        self.forearms, self.shins = (np.array([name.startswith(limb) for name in bone]) for limb in _MAY_BE_BARE)

    def striped(self, rng: np.random.Generator) -> np.ndarray:
        """Colors [V,3]: `static` with stripes around the shirt, half the time short sleeves or shorts."""
        colors, other = self.static(rng), np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0, 0.8), rng.random()))
        is_band = np.floor(self.rest[:, 1] / rng.uniform(0.04, 0.12)) % 2 == 0
        colors[is_band & (self.parts == "shirt")] = other
        skin = colors[self.parts == "skin"][0]
        for limb in (self.forearms, self.shins):
            if rng.random() < 0.5:
                colors[limb] = skin
        return colors
