"""Random bodies without any recorded motion, for fitting what depends on how skin moves."""

import numpy as np
import torch

from pose2mesh.augmentation.hand_gestures import TRAINING_FAMILIES, gesture_pool
from pose2mesh.augmentation.hand_poses import HandPoseSampler
from pose2mesh.augmentation.poses import clamp_to_limits, world_rotmats
from pose2mesh.body_models import AnnyBody, HandBody
from pose2mesh.skeletons import MOTION_BONES


def random_bodies(body: AnnyBody, count: int, seed: int = 0, degrees: float = 30.0) -> np.ndarray:
    """Vertices [count,V,3] m of random shapes in random poses: every joint turned by N(0, `degrees`) per axis."""
    generator = torch.Generator().manual_seed(seed)
    rotvec = torch.randn(count, len(MOTION_BONES), 3, generator=generator) * float(np.deg2rad(degrees))
    betas = torch.randn(count, body.num_shape, generator=generator)
    with torch.inference_mode():
        return body(betas, body.expand_pose(world_rotmats(clamp_to_limits(rotvec)))).vertices.numpy()


def random_hands(hand: HandBody, count: int, seed: int = 0) -> np.ndarray:
    """Vertices [count,V,3] m of random hands in poses of the sampler."""
    generator = torch.Generator().manual_seed(seed)
    sampler = HandPoseSampler(hand, gesture_pool(TRAINING_FAMILIES))
    betas = torch.randn(count, hand.num_shape, generator=generator)
    rotations = sampler.rotations(sampler.sample(count, generator))
    with torch.inference_mode():
        return hand(betas, hand.expand_pose(rotations)).vertices.numpy()
