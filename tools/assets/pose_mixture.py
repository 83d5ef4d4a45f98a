"""Estimate the pose prior of `pose2mesh.fitting.pose_mixture` from recorded motion."""

from pathlib import Path

import numpy as np

from pose2mesh.npz import write_arrays

COMPONENTS = 8  # as SMPLify
_FLOOR = np.deg2rad(4.0)  # deviation added to every joint: clavicles and wrists hardly move in the recordings
_ROUNDS = 25


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
