"""Random bodies without any recorded motion, for fitting what depends on how skin moves."""

import numpy as np
import torch

from pose2mesh.augmentation.poses import clamp_to_limits, world_rotmats
from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.skeletons import MOTION_BONES


def random_bodies(body: AnnyBody, count: int, seed: int = 0, degrees: float = 30.0) -> np.ndarray:
    """Vertices [count,V,3] m of random shapes in random poses: every joint turned by N(0, `degrees`) per axis."""
    generator = torch.Generator().manual_seed(seed)
    rotvec = torch.randn(count, len(MOTION_BONES), 3, generator=generator) * float(np.deg2rad(degrees))
    betas = torch.randn(count, body.num_shape, generator=generator)
    with torch.inference_mode():
        return body(betas, body.expand_pose(world_rotmats(clamp_to_limits(rotvec)))).vertices.numpy()
