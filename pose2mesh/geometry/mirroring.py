"""Left hands as mirrored right ones: x negated, faces turned around."""

import numpy as np


def mirror_where(points: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """A copy of points [P, N, 2 or more] with x negated in the rows of `chosen`, bool [P]."""
    mirrored = points.copy()
    mirrored[chosen, :, 0] *= -1
    return mirrored


def flip_faces(faces: np.ndarray) -> np.ndarray:
    """Faces [F, 3] that turn the other way around, so that the mirror image of a mesh still looks outwards."""
    return np.ascontiguousarray(faces[:, [0, 2, 1]])
