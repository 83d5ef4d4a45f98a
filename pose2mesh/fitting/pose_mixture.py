"""A Gaussian mixture over body poses, the pose prior of SMPLify (Bogo et al. 2016), estimated from recorded motion."""

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh import paths
from pose2mesh.errors import FormatError
from pose2mesh.npz import read_arrays

ASSET = "statistics/anny_pose_mixture.npz"
_REMEDY = "restore it or run `python -m tools.assets.build --pose-mixture mocap_train.npz`"


class PoseMixture(nn.Module):
    """log p of poses without the root, [B, 18, 3] rotation vectors against the parent bone."""

    means: Tensor  # [K, D]
    whitening: Tensor  # [K, D, D], L⁻¹ of the covariance L Lᵀ
    offsets: Tensor  # [K], log weight plus log of the normal's constant

    def __init__(self, means: np.ndarray, covariances: np.ndarray, weights: np.ndarray):
        super().__init__()
        factors = np.linalg.cholesky(covariances.astype(np.float64))
        whitening = np.linalg.inv(factors)
        offsets = np.log(weights) + np.log(np.diagonal(whitening, axis1=1, axis2=2)).sum(1)
        for name, array in (("means", means), ("whitening", whitening), ("offsets", offsets)):
            self.register_buffer(name, torch.as_tensor(array, dtype=torch.float32), persistent=False)

    def energy(self, pose: Tensor) -> Tensor:
        """−log p up to a constant, [B], of poses [B,18,3]."""
        offset = pose.flatten(1)[:, None] - self.means  # [B, K, D]
        white = torch.einsum("kij,bkj->bki", self.whitening, offset)
        return -torch.logsumexp(self.offsets - white.square().sum(-1) / 2, 1)

    def mean_pose(self) -> Tensor:
        """The middle [18,3] of the heaviest component."""
        return self.means[self.offsets.argmax()].unflatten(0, (-1, 3))


def load_mixture() -> PoseMixture:
    """The mixture that ships. Raises MissingFileError, FormatError."""
    file = read_arrays(paths.asset(ASSET), ("means", "covariances", "weights"), remedy=_REMEDY)
    try:
        return PoseMixture(file["means"], file["covariances"].astype(np.float64), file["weights"])
    except (ValueError, np.linalg.LinAlgError) as error:
        raise FormatError(f"{ASSET} does not hold a mixture: {error}; {_REMEDY}") from error
