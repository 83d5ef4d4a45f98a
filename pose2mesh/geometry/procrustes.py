"""Best similarity between two point sets (Umeyama, TPAMI 1991): rotation, scale and translation."""

from typing import NamedTuple

import torch
from torch import Tensor


class Similarity(NamedTuple):
    """y = scale · rotation · x + translation."""

    scale: Tensor  # [...]
    rotmat: Tensor  # [..., 3, 3]
    translation: Tensor  # [..., 3]

    def apply(self, points: Tensor) -> Tensor:
        """[..., N, 3] to [..., N, 3]."""
        turned = points @ self.rotmat.transpose(-1, -2)  # row vectors: x Rᵀ
        return self.scale[..., None, None] * turned + self.translation[..., None, :]


def best_rotation(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """The rotation R [..., 3, 3] nearest to a matrix [..., 3, 3], which maximizes tr(Rᵀ C), and that maximum [...].

    Of Σ target sourceᵀ it is the rotation that best turns the source's points onto the target's (Kabsch 1976).
    """
    u, singular, v_transposed = torch.linalg.svd(covariance)
    sign = torch.ones_like(singular)
    sign[..., 2] = (torch.linalg.det(u) * torch.linalg.det(v_transposed)).sign()  # −1 forbids the reflection
    return (u * sign[..., None, :]) @ v_transposed, (singular * sign).sum(-1)


def fit_similarity(source: Tensor, target: Tensor) -> Similarity:
    """The similarity that minimizes Σ ‖target − (s R source + t)‖² (Umeyama 1991, eq. 40 to 43).

    When all source points are equal, the scale is zero and everything maps to the target's mean. NaN where a point is.

    Shapes: source and target [..., N, 3], corresponding row by row.
    """
    source_mean, target_mean = source.mean(-2), target.mean(-2)  # [..., 3]
    source_centered = source - source_mean[..., None, :]
    target_centered = target - target_mean[..., None, :]
    covariance = target_centered.transpose(-1, -2) @ source_centered  # [..., 3, 3]
    is_finite = covariance.isfinite().all(-1, keepdim=True).all(-2, keepdim=True)  # [..., 1, 1]
    rotmat, overlap = best_rotation(torch.where(is_finite, covariance, 0.0))
    spread = source_centered.square().sum((-2, -1))  # [...]
    rounding = source.shape[-2] * (4 * torch.finfo(source.dtype).eps * source_mean).square().sum(-1)
    is_point = spread <= rounding  # [...]; what is left of equal points after subtracting their mean
    safe_spread = torch.where(is_point, torch.ones_like(spread), spread)
    scale = torch.where(is_point, torch.zeros_like(spread), overlap / safe_spread)
    turned_mean = (rotmat @ source_mean[..., None])[..., 0]
    return Similarity(scale, rotmat, target_mean - scale[..., None] * turned_mean)


def similarity_align(source: Tensor, target: Tensor) -> Tensor:
    """`source` after the best similarity onto `target`. Shapes: [..., N, 3] both; returns [..., N, 3]."""
    return fit_similarity(source, target).apply(source)
