"""A few natural poses written down as angles, for demonstrations and tests without motion data."""

import torch
from torch import Tensor

from pose2mesh.body_models.anny import MOTION_BONES

# Rotation vectors against the parent bone in degrees. SMPL axes: x to the body's left, y up, z forward; bones that are
# not named keep the rest pose, legs a little apart and arms half lowered.
_LEGS_TOGETHER = {"upperleg01.L": (0, 0, -4), "upperleg01.R": (0, 0, 4)}
_ARMS_DOWN = {
    "upperarm01.L": (0, 0, -34), "upperarm01.R": (0, 0, 34), "lowerarm01.L": (20, -20, 0), "lowerarm01.R": (20, 20, 0),
}  # fmt: skip
FIGURES: dict[str, dict[str, tuple[float, float, float]]] = {
    "stand": {**_LEGS_TOGETHER, **_ARMS_DOWN},
    "stride": {
        "spine03": (4, 6, 0), "spine01": (0, 8, 0), "head": (0, -10, 0),
        "upperarm01.L": (32, 0, -36), "upperarm01.R": (-36, 0, 36),
        "upperleg01.L": (-30, 0, -5), "lowerleg01.L": (10, 0, 0), "foot.L": (-8, 0, 0),
        "upperleg01.R": (20, 0, 5), "lowerleg01.R": (30, 0, 0), "foot.R": (12, 0, 0),
    },
    "greet": {
        "spine03": (0, 0, 3), "spine01": (0, -6, 3), "head": (0, -12, -5),
        "upperarm01.L": (8, 0, -34), "upperarm01.R": (0, -10, -72), "lowerarm01.R": (0, 0, -68),
        "upperleg01.L": (-14, 0, -3), "lowerleg01.L": (12, 0, 0), "upperleg01.R": (6, 0, 5),
    },
    "crouch": {
        "spine03": (30, 0, 0), "spine01": (14, 0, 0), "neck01": (-20, 0, 0),
        "upperarm01.L": (-40, 0, -20), "upperarm01.R": (-40, 0, 20),
        "upperleg01.L": (-80, 0, 8), "lowerleg01.L": (98, 0, 0), "foot.L": (-18, 0, 0),
        "upperleg01.R": (-72, 0, -8), "lowerleg01.R": (96, 0, 0), "foot.R": (-24, 0, 0),
    },
}  # fmt: skip


def figure(name: str) -> Tensor:
    """Relative rotation vectors [19,3], radians, of one of `FIGURES`."""
    angles = FIGURES[name]
    degrees = [angles.get(bone, (0.0, 0.0, 0.0)) for bone in MOTION_BONES]
    return torch.deg2rad(torch.tensor(degrees, dtype=torch.float32))


def figure_pool() -> Tensor:
    """All figures [N,19,3], a pool for `sample_poses`."""
    return torch.stack([figure(name) for name in FIGURES])
