"""Losses on coordinates: the L1 of the paper, distances, and quantiles of distances."""

import torch
from torch import Tensor


def mean_absolute(pred: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
    """Mean absolute error of coordinates, of vertices, joints of the mesh and lifted joints (Choi et al. 2020).

    Shapes: pred and target [B, N, 3] m; valid [B] or [B, N], None for all; returns a scalar, metres.
    """
    difference = pred - target  # [B, N, 3]
    if valid is None:
        return difference.abs().mean()
    is_valid = valid.bool().view(*valid.shape, *[1] * (difference.ndim - valid.ndim)).expand_as(difference)
    # Selected before abs(): an invalid target may be NaN, and 0 · NaN is NaN in the gradient too.
    difference = torch.where(is_valid, difference, torch.zeros_like(difference))
    return difference.abs().sum() / is_valid.sum().clamp(min=1)


def distance_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean distance between points [...,3]; smooth at zero (1 micrometre)."""
    return (predicted.float() - target).square().sum(-1).add(1e-12).sqrt().mean()


def quantile_loss(predicted: Tensor, errors: Tensor, share: float) -> Tensor:
    """Mean pinball loss [...]: least where a `share` of the errors is below what is predicted (Koenker 1978)."""
    beyond = errors - predicted
    return torch.maximum(share * beyond, (share - 1) * beyond).mean()
