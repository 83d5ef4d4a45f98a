"""Batch norm with the statistics of the batch, ReLU and residual by the C++ kernels (norm.cpp): y alone is kept."""

import ctypes
from typing import Any

import torch
from torch import Tensor

from pose2mesh.ops.first_derivative import first_derivative_only
from pose2mesh.ops.native import functions

_ROWS = 1024  # of a block, about
_POINTERS = (
    *("y", "residual", "upstream", "out", "scale", "shift", "mean", "inverse"),
    *("first", "second", "mean_g", "mean_gx"),
)


class _Norm(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in _POINTERS),
        *((name, ctypes.c_int64) for name in ("rows", "channels", "blocks")),
    )


class NormRelu(torch.autograd.Function):
    """relu(γ (y − μ) / σ + β) + residual with μ, σ of all rows of y [B, N, C]; also the mean and variance [C]."""

    @staticmethod
    def forward(
        ctx: Any, y: Tensor, gamma: Tensor, beta: Tensor, residual: Tensor | None, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        y, residual = y.contiguous(), None if residual is None else residual.contiguous()
        mean, variance = _statistics(y)  # float64
        inverse = (variance + eps).rsqrt()
        scale = inverse * gamma
        vectors = [v.to(y.dtype) for v in (scale, beta - mean * scale, mean, inverse)]
        out = torch.empty_like(y)
        names = ("scale", "shift", "mean", "inverse")
        _call("norm_apply", y, out=out, residual=residual, **dict(zip(names, vectors, strict=True)))
        ctx.save_for_backward(y, *vectors)
        means = mean.to(y.dtype), variance.to(y.dtype)
        ctx.mark_non_differentiable(*means)
        ctx.has_residual = residual is not None
        return out, *means

    @staticmethod
    @first_derivative_only
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        y, scale, shift, mean, inverse = ctx.saved_tensors
        upstream = grads[0].contiguous()
        vectors = {"scale": scale, "shift": shift, "mean": mean, "inverse": inverse}
        first, second = _blocks(y)
        _call("norm_sums", y, upstream=upstream, first=first, second=second, **vectors)
        rows, sum_g, sum_gx = y.shape[0] * y.shape[1], first.sum(0), second.sum(0)
        out = torch.empty_like(y)
        means = {"mean_g": (sum_g / rows).to(y.dtype), "mean_gx": (sum_gx / rows).to(y.dtype)}
        _call("norm_backward", y, upstream=upstream, out=out, **vectors, **means)
        return out, sum_gx.to(y.dtype), sum_g.to(y.dtype), grads[0] if ctx.has_residual else None, None


def _statistics(y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance over the rows, [C] float64, from those of the blocks (Chan et al. 1983)."""
    means, squares = _blocks(y)
    _call("norm_statistics", y, first=means, second=squares)
    rows = y.shape[0] * y.shape[1]
    edges = torch.arange(len(means) + 1, device=y.device) * rows // len(means)
    counts = edges.diff().double()[:, None]  # [blocks, 1]
    mean = (means * counts).sum(0) / rows
    return mean, (squares.sum(0) + ((means - mean).square() * counts).sum(0)) / rows


def _blocks(y: Tensor) -> tuple[Tensor, Tensor]:
    shape = (max(1, y.shape[0] * y.shape[1] // _ROWS), y.shape[2])
    first, second = (torch.empty(shape, dtype=torch.float64, device=y.device) for _ in range(2))
    return first, second


def _call(name: str, y: Tensor, **tensors: Tensor | None) -> None:
    kernels = functions(y.dtype)
    assert kernels is not None  # whoever comes here has asked is_available()
    blocks = max(1, y.shape[0] * y.shape[1] // _ROWS)
    arguments = _Norm(y=y.data_ptr(), rows=y.shape[0] * y.shape[1], channels=y.shape[2], blocks=blocks)
    for key, tensor in tensors.items():
        if tensor is not None:
            setattr(arguments, key, tensor.data_ptr())
    kernels[name](ctypes.addressof(arguments))
