"""Training poses without any motion file: draws from a pose prior in the place of recordings."""

import torch
from torch import Tensor

from pose2mesh.checkpoints.prior import load_pose_prior
from pose2mesh.datasets.motion import find_motion
from pose2mesh.errors import MissingFileError
from pose2mesh.geometry.rotation import rotmat_to_rotvec
from pose2mesh.skeletons import MOTION_BONES
from pose2mesh.synthesis.bodies import pose_pool, seeded_generator
from pose2mesh.training.config import SHIPPED_RECIPES_MOTION, DataConfig, TrainConfig, ValidationSource

PRIOR_POSES = 1 << 14  # drawn once; variation makes more of them
# Lean of the recorded roots about x (forward), y and z, radians: mean and deviation; the prior knows no root
_LEAN_MEAN, _LEAN = (0.09, 0.0, 0.0), (0.21, 0.0, 0.11)


def for_want_of_motion(config: TrainConfig) -> tuple[TrainConfig, str]:
    """The same run without recordings, and a line that says so, where none is there and `motion_or_prior` allows it.

    It stands in for the motion of the shipped recipes alone: a file of the user's own that is missing is mistyped.
    """
    prior = config.data.motion_or_prior
    if prior is None or config.data.prior is not None or not all(map(_may_be_replaced, config.data.motion)):
        return config, ""
    data = config.data.model_copy(update={"prior": prior})
    left_out = [str(name) for name in config.validation if _may_be_replaced(name)]
    notice = f"no motion file ({', '.join(config.data.motion)}): poses are drawn from {prior} and from ranges"
    if left_out:
        notice += f"; nothing is validated on {', '.join(left_out)}"
    kept = tuple(name for name in config.validation if name not in left_out)
    return config.model_copy(update={"data": data, "validation": kept}), notice + " (docs/data.md)"


def _may_be_replaced(motion: str | ValidationSource) -> bool:
    """Whether it is named by the shipped recipes and not there."""
    if motion not in SHIPPED_RECIPES_MOTION:
        return False
    try:
        return not find_motion(str(motion)).exists()
    except MissingFileError:
        return True


def training_poses(data: DataConfig, seed: int) -> Tensor:
    """Relative rotation vectors [N,19,3]: recorded and distinct, or with `data.prior` all or some drawn from it.

    Raises MissingFileError for motion or weights that are not there, InputError for a prior of another body.
    """
    share = 0.0 if data.prior is None else data.prior_share
    recorded = pose_pool(data.motion, data.distinct_radians) if share < 1 else torch.zeros(0, len(MOTION_BONES), 3)
    if not data.prior or not share:
        return recorded
    count, generator = (
        PRIOR_POSES if share == 1 else round(len(recorded) * share / (1 - share)),
        seeded_generator(seed, 41),
    )
    with torch.no_grad():
        body = rotmat_to_rotvec(load_pose_prior(data.prior).sample(count, generator))  # [n, 18, 3]
    root = torch.tensor(_LEAN_MEAN) + torch.tensor(_LEAN) * torch.randn(count, 1, 3, generator=generator)
    return torch.cat([recorded, torch.cat([root, body], 1)])
