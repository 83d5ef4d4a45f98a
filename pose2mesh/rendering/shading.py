"""The colors and lights of every picture.

Colors are sRGB in [0, 1]; light adds up linearly and is encoded last. The lights are fixed to the camera
(x right, y down, z forward), so a person looks the same wherever they stand.
"""

import numpy as np

SKIN = (0.87, 0.70, 0.60)  # warm clay between skin tones; reads as a model, not as a portrait
# People of one picture, in order: plaster in six hues of nearly the same brightness, none of them a skin.
TINTS = (
    (0.62, 0.74, 0.90),  # blue
    (0.95, 0.76, 0.50),  # amber
    (0.64, 0.84, 0.62),  # green
    (0.84, 0.68, 0.90),  # violet
    (0.95, 0.66, 0.62),  # coral
    (0.56, 0.84, 0.83),  # turquoise
)
BACKGROUND = (0.93, 0.94, 0.95)  # neutral light gray of the side view and of contact sheets

# Direction from the surface to the light, and its strength: key from the upper left behind the camera, a
# weaker fill from the right, and a rim from above and behind that lifts the head off the background.
LIGHTS = (((-0.65, -0.60, -0.60), 0.95), ((0.90, 0.00, -0.45), 0.20), ((0.25, -0.80, 0.55), 0.25))
SKY, GROUND = 0.18, 0.08  # ambient light from above and from below: shadows stay open, never black
GLOSS, GLOSS_POWER = 0.15, 20.0  # a faint highlight of the key light shows the curvature
EDGE = 0.45  # share of the light that surfaces seen edge-on lose: limbs stay apart where one crosses another


def linear_from_srgb(color: np.ndarray) -> np.ndarray:
    """Decode display values in [0, 1] to light (gamma 2.2, as pyrender encodes)."""
    return np.asarray(color, np.float32) ** np.float32(2.2)


def light_directions() -> np.ndarray:
    """Unit vectors from the surface to each light, [L, 3]."""
    directions = np.array([direction for direction, _ in LIGHTS], np.float32)  # [L, 3]
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def light(normals: np.ndarray) -> np.ndarray:
    """Light [N] that surfaces with unit normals [N, 3] (camera frame) send back to the camera, 1 for white at its best.

    The highlight takes the surface's color, so that one number tells how bright a point is.
    """
    directions = light_directions()  # [L, 3]
    strengths = np.array([strength for _, strength in LIGHTS], np.float32)  # [L]
    diffuse = np.maximum(normals @ directions.T, 0) @ strengths  # [N]
    ambient = (SKY + GROUND) / 2 - (SKY - GROUND) / 2 * normals[:, 1]  # [N]; up is -y
    half_way = directions[0] + np.array([0, 0, -1], np.float32)  # between the key light and the camera
    half_way /= np.linalg.norm(half_way)
    gloss = GLOSS * np.maximum(normals @ half_way, 0) ** np.float32(GLOSS_POWER)  # [N]
    return (diffuse + ambient + gloss) * (1 - EDGE * (1 - np.abs(normals[:, 2])) ** 2)


def encode(light: np.ndarray, color: np.ndarray) -> np.ndarray:
    """What the camera shows, uint8 sRGB [N, 3], of light [N] on surfaces of one color [3], or of one each [N, 3]."""
    linear = light[:, None] * linear_from_srgb(color)  # [N, 3]
    return np.rint(255 * np.clip(linear, 0, 1) ** np.float32(1 / 2.2)).astype(np.uint8)


def shade(normals: np.ndarray, color: tuple[float, float, float] | np.ndarray) -> np.ndarray:
    """Light a surface of one color, or of one at each point [N, 3].

    Shapes: normals [N, 3], unit, camera frame, turned to the camera; returns [N, 3] uint8 sRGB.
    """
    return encode(light(normals), np.asarray(color))
