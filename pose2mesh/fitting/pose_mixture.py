"""A Gaussian mixture over body poses, the pose prior of SMPLify (Bogo et al. 2016), estimated from recorded motion."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh import paths
from pose2mesh.errors import FormatError
from pose2mesh.npz import read_arrays, write_arrays

COMPONENTS = 8  # as SMPLify
_FLOOR = np.deg2rad(4.0)  # deviation added to every joint: clavicles and wrists hardly move in the recordings
_ROUNDS = 25
ASSET = "statistics/anny_pose_mixture.npz"
_REMEDY = "restore it or run `pose2mesh build-assets --pose-mixture mocap_train.npz`"


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


def fit_mixture(poses: np.ndarray, components: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Expectation maximization: poses [N,D] to means [K,D], covariances [K,D,D], weights [K]."""
    rng = np.random.default_rng(seed)
    means = poses[rng.choice(len(poses), components, replace=False)]
    distance = ((poses[:, None] - means) ** 2).sum(-1)  # [N, K]
    share = np.eye(components)[distance.argmin(1)]
    for _ in range(_ROUNDS):
        weights = share.sum(0) + 1e-3
        means = share.T @ poses / weights[:, None]
        covariances = np.stack([_covariance(poses - mean, column) for mean, column in zip(means, share.T, strict=True)])
        share = _responsibilities(poses, means, covariances, weights / weights.sum())
    return means, covariances, weights / weights.sum()


def load_mixture() -> PoseMixture:
    """The mixture that ships. Raises MissingFileError, FormatError."""
    file = read_arrays(paths.asset(ASSET), ("means", "covariances", "weights"), remedy=_REMEDY)
    try:
        return PoseMixture(file["means"], file["covariances"].astype(np.float64), file["weights"])
    except (ValueError, np.linalg.LinAlgError) as error:
        raise FormatError(f"{ASSET} does not hold a mixture: {error}; {_REMEDY}") from error


def build_mixture(poses: np.ndarray, path: Path) -> None:
    """Estimate the mixture of relative rotation vectors [N,19,3], root first, with their mirror images; write it."""
    means, covariances, weights = fit_mixture(poses[:, 1:].reshape(len(poses), -1), COMPONENTS)
    arrays = {"means": means, "covariances": covariances, "weights": weights}
    write_arrays(path, {name: array.astype(np.float32) for name, array in arrays.items()})


def _covariance(offset: np.ndarray, share: np.ndarray) -> np.ndarray:
    size = offset.shape[1]
    return (offset * share[:, None]).T @ offset / (share.sum() + 1e-3) + _FLOOR**2 * np.eye(size)


def _responsibilities(poses: np.ndarray, means: np.ndarray, covariances: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Probability [N,K] of each component for each pose."""
    logs = []
    for mean, covariance, weight in zip(means, covariances, weights, strict=True):
        factor = np.linalg.cholesky(covariance)
        white = np.linalg.solve(factor, (poses - mean).T)  # [D, N]
        logs.append(np.log(weight) - np.log(np.diagonal(factor)).sum() - (white**2).sum(0) / 2)
    log = np.stack(logs, 1)
    share = np.exp(log - log.max(1, keepdims=True))
    return share / share.sum(1, keepdims=True)
