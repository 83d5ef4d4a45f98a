"""The soles of Anny's feet: what touches the ground."""

import numpy as np

from pose2mesh.body_models.anny import AnnyBody

_NEAR = 0.012  # metres above the lowest vertex that still belong to the sole


def sole_vertices(body: AnnyBody) -> np.ndarray:
    """Vertices [2, 2] under the left and the right foot: heel, then ball or toes."""
    rest = body.v_template.numpy()  # [V, 3] y up, facing +z, left is +x
    lowest = np.flatnonzero(rest[:, 1] < rest[:, 1].min() + _NEAR)
    sides = (lowest[rest[lowest, 0] > 0], lowest[rest[lowest, 0] < 0])
    return np.array([[side[rest[side, 2].argmin()], side[rest[side, 2].argmax()]] for side in sides])
