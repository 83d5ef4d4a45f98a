"""Which part of a body the photo told about: limbs whose joints it does not show are drawn faded."""

import numpy as np

from pose2mesh.types import Person

_FADED = 0.35  # opacity of what no seen joint is near
_BLUR = 0.08  # metres over which a limb fades


def vertex_opacity(person: Person) -> np.ndarray | None:
    """Opacity [V] in [0.35, 1] by the nearest joints; None where all joints are seen or nobody told."""
    if person.seen is None or np.all(person.seen):
        return None
    joints = np.asarray(person.joints, np.float64)  # [J, 3]
    logits = (2 * person.vertices @ joints.T - (joints**2).sum(axis=1)) / (2 * _BLUR**2)  # [V, J]: minus distance^2
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    share = weights @ np.asarray(person.seen, np.float64) / weights.sum(axis=1)  # [V] of seen joints nearby
    return _FADED + (1 - _FADED) * share
