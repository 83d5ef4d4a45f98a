"""Training poses without any motion file: draws from a pose prior in the place of recordings."""

import torch
from torch import Tensor

from pose2mesh.checkpoints.prior import load_pose_prior
from pose2mesh.datasets.synthetic import pose_pool, seeded_generator
from pose2mesh.geometry.rotation import rotmat_to_rotvec
from pose2mesh.training.config import DataConfig

PRIOR_POSES = 1 << 14  # drawn once; variation makes more of them
# Lean of the recorded roots about x (forward), y and z, radians: mean and deviation; the prior knows no root
_LEAN_MEAN, _LEAN = (0.09, 0.0, 0.0), (0.21, 0.0, 0.11)


def training_poses(data: DataConfig, seed: int) -> Tensor:
    """Relative rotation vectors [N,19,3]: recorded and distinct, or with `data.prior` drawn from that prior.

    Raises MissingFileError for motion or weights that are not there, InputError for a prior of another body.
    """
    if data.prior is None:
        return pose_pool(data.motion, data.distinct_radians)
    generator = seeded_generator(seed, 41)
    with torch.no_grad():
        body = rotmat_to_rotvec(load_pose_prior(data.prior).sample(PRIOR_POSES, generator))  # [N, 18, 3]
    root = torch.tensor(_LEAN_MEAN) + torch.tensor(_LEAN) * torch.randn(PRIOR_POSES, 1, 3, generator=generator)
    return torch.cat([root, body], 1)
