"""Which part of a body the photo told about: limbs whose joints it does not show are drawn faded."""

import numpy as np

from pose2mesh.types import Person

_FADED = 0.35  # opacity of what no seen joint is near
_BLUR = 0.08  # metres over which a limb fades


def vertex_opacity(person: Person) -> np.ndarray | None:
    """Opacity [V] in [0.35, 1] by the nearest joints; None where all joints are seen or nobody told."""
    if person.seen is None or np.all(person.seen):
        return None
    joints, vertices = (np.asarray(points, np.float32) / _BLUR for points in (person.joints, person.vertices))
    logits = joints @ vertices.T - (joints**2).sum(axis=1)[:, None] / 2  # [J, V]: minus half the squared distance
    weights = np.exp(logits - logits.max(axis=0))
    share = np.asarray(person.seen, np.float32) @ weights / weights.sum(axis=0)  # [V] of seen joints nearby
    return _FADED + (1 - _FADED) * share
