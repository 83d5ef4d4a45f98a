"""Batch norm, ReLU and residual of a graph layer in training: the statistics are those of all nodes of the batch."""

from typing import cast

import torch
from torch import Tensor, nn

from pose2mesh.errors import InputError
from pose2mesh.ops import native


def batch_norm_relu(y: Tensor, norm: nn.BatchNorm1d, residual: Tensor | None = None) -> Tensor:
    """relu(norm(y)) + residual with the statistics of the batch; updates the running ones of `norm`.

    On the CPU the compiled kernels do it in two passes over memory and keep y alone for the gradient.

    Shapes: y, residual [B, N, C]; returns [B, N, C] in y's type, whatever the residual's. Raises InputError for a
    residual of another shape or device.
    """
    if residual is not None:
        if residual.shape != y.shape or residual.device != y.device:
            raise InputError(f"residual {_describe(residual)} of a batch norm does not belong to {_describe(y)}")
        residual = residual.to(y.dtype)  # under autocast it may be in half precision
    is_plain = type(norm) is nn.BatchNorm1d and norm.affine and norm.track_running_stats
    if not (is_plain and y.device.type == "cpu" and y.dtype == norm.weight.dtype and native.is_available()):
        z = norm(y.flatten(0, 1)).view_as(y).relu()
        return z if residual is None else z + residual

    from pose2mesh.ops.native.norm import NormRelu

    z, mean, variance = cast(
        tuple[Tensor, Tensor, Tensor], NormRelu.apply(y, norm.weight, norm.bias, residual, norm.eps)
    )
    _update(norm, mean, variance, y.shape[0] * y.shape[1])
    return z


def _describe(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} on {tensor.device}"


@torch.no_grad()
def _update(norm: nn.BatchNorm1d, mean: Tensor, variance: Tensor, rows: int) -> None:
    """The running statistics, as torch keeps them: the variance without bias."""
    tracked = cast(Tensor, norm.num_batches_tracked).add_(1)
    momentum = 1 / float(tracked) if norm.momentum is None else norm.momentum
    cast(Tensor, norm.running_mean).lerp_(mean, momentum)
    cast(Tensor, norm.running_var).lerp_(variance * (rows / max(1, rows - 1)), momentum)
