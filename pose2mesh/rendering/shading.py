"""The colors and lights of every picture.

Colors are sRGB in [0, 1]; light adds up linearly and is encoded last. The lights are fixed to the camera
(x right, y down, z forward), so a person looks the same wherever they stand.
"""

import numpy as np

SKIN = (0.87, 0.70, 0.60)  # warm clay between skin tones; reads as a model, not as a portrait
# People of one picture, in order: the clay and five light tints of nearly the same brightness.
TINTS = (
    SKIN,
    (0.67, 0.76, 0.84),  # blue gray
    (0.74, 0.80, 0.67),  # sage
    (0.79, 0.71, 0.83),  # lilac
    (0.89, 0.81, 0.62),  # sand
    (0.66, 0.80, 0.78),  # sea green
)
BACKGROUND = (0.93, 0.94, 0.95)  # neutral light gray of the side view and of contact sheets

# Direction from the surface to the light, and its strength: key from the upper left behind the camera, a
# weaker fill from the right, and a rim from above and behind that lifts the head off the background.
LIGHTS = (
    ((-0.65, -0.60, -0.60), 0.90),
    ((0.90, 0.00, -0.45), 0.20),
    ((0.25, -0.80, 0.55), 0.25),
)
SKY, GROUND = 0.22, 0.10  # ambient light from above and from below: shadows stay open, never black
GLOSS, GLOSS_POWER = 0.06, 20.0  # a faint highlight of the key light shows the curvature


def linear_from_srgb(color: np.ndarray) -> np.ndarray:
    """Decode display values in [0, 1] to light (gamma 2.2, as pyrender encodes)."""
    return np.asarray(color, np.float32) ** np.float32(2.2)


def light_directions() -> np.ndarray:
    """Unit vectors from the surface to each light, [L, 3]."""
    directions = np.array([direction for direction, _ in LIGHTS], np.float32)  # [L, 3]
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def shade(normals: np.ndarray, color: tuple[float, float, float] | np.ndarray) -> np.ndarray:
    """Light a surface of one color, or of one at each point [N, 3].

    Shapes: normals [N, 3], unit, camera frame, turned to the camera; returns [N, 3] uint8 sRGB.
    """
    directions = light_directions()  # [L, 3]
    strengths = np.array([strength for _, strength in LIGHTS], np.float32)  # [L]
    diffuse = np.maximum(normals @ directions.T, 0) @ strengths  # [N]
    ambient = (SKY + GROUND) / 2 - (SKY - GROUND) / 2 * normals[:, 1]  # [N]; up is -y
    half_way = directions[0] + np.array([0, 0, -1], np.float32)  # between the key light and the camera
    half_way /= np.linalg.norm(half_way)
    gloss = GLOSS * np.maximum(normals @ half_way, 0) ** np.float32(GLOSS_POWER)  # [N]
    light = (diffuse + ambient)[:, None] * linear_from_srgb(np.array(color)) + gloss[:, None]  # [N, 3]
    return np.rint(255 * np.clip(light, 0, 1) ** np.float32(1 / 2.2)).astype(np.uint8)
