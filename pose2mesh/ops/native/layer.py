"""Chebyshev layers of up to three terms by the C++ kernels (chebyshev.cpp), on dense [B, N, C] tensors of one type."""

import ctypes

import torch
from torch import Tensor

from pose2mesh.errors import MachineError
from pose2mesh.ops.native import functions
from pose2mesh.ops.native.tiles import Tiles

MOST_TERMS = 3
_POINTER, _INT = ctypes.c_void_p, ctypes.c_int64
_SIZES = ("batch", "channels", "width", "order")


class _Layer(ctypes.Structure):
    _fields_ = (
        *((name, _POINTER) for name in ("x", "weight", "y", "scale", "bias")),
        ("relu", ctypes.c_bool),
        ("residual", _POINTER),
        *((name, _INT) for name in ("is_coarse", "is_residual_coarse", *_SIZES)),
    )


class _Gradient(ctypes.Structure):
    _fields_ = (
        *((name, _POINTER) for name in ("x", "weight", "upstream", "grad_x", "grad_weight")),
        *((name, _INT) for name in ("is_coarse", "parts", *_SIZES)),
    )


def forward(
    tiles: Tiles,
    x: Tensor,
    weight: Tensor | None,
    y: Tensor,
    order: int,
    *,
    scale: Tensor | None = None,
    bias: Tensor | None = None,
    relu: bool = False,
    residual: Tensor | None = None,
) -> None:
    """y = relu(scale · Σ_k T_k(L) x W_k + bias) + residual; without weight x holds the terms x W_k already.

    Shapes: x [B, N, C], or terms [B, N or M, K·C'] with x W_k in columns k·C'; weight [K·C, C'], row k·C + c;
    residual [B, N or M, C']; y [B, N, C'].
    """
    batch, nodes, width = y.shape
    layer = _Layer(
        x.data_ptr(),
        _address(weight),
        y.data_ptr(),
        _address(scale),
        _address(bias),
        relu,
        _address(residual),
        x.shape[1] != nodes,
        residual is not None and residual.shape[1] != nodes,
        batch,
        x.shape[2],
        width,
        order,
    )
    _call("combine" if weight is None else "convolve", tiles, layer, y.dtype)


def backward(
    tiles: Tiles, x: Tensor, weight: Tensor, upstream: Tensor, grad_x: Tensor | None, *, wants_weight: bool
) -> Tensor | None:
    """Write dx and return dW [C, K·C'], column k·C' + c'.

    Shapes: x, grad_x [B, N or M, C]; weight [K·C', C], row k·C' + c'; upstream, dy, [B, N, C'].
    """
    batch, nodes, width = upstream.shape
    channels, parts = x.shape[2], torch.get_num_threads()
    grad_weight = x.new_zeros(parts, channels, len(weight)) if wants_weight else None
    gradient = _Gradient(
        x.data_ptr(),
        weight.data_ptr(),
        upstream.data_ptr(),
        _address(grad_x),
        _address(grad_weight),
        x.shape[1] != nodes,
        parts,
        batch,
        channels,
        width,
        len(weight) // width,
    )
    _call("backward", tiles, gradient, x.dtype)
    return None if grad_weight is None else grad_weight.sum(0)


def _call(name: str, tiles: Tiles, arguments: ctypes.Structure, dtype: torch.dtype) -> None:
    kernels = functions(dtype)
    assert kernels is not None  # whoever comes here has asked is_available()
    if kernels[name](ctypes.addressof(tiles), ctypes.addressof(arguments)):
        raise MachineError("the graph layer got no memory; take a smaller batch")


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()
