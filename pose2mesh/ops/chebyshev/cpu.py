"""The Chebyshev convolution on the CPU: torch's dense products, C++ sparse ones with everything else fused into them.

Nothing is laid out anew, and what is made in between is small enough for the cache. There are two ways:

- Sparse products first: the terms of some 160 rows at a time are made in the cache, multiplied by the weights there and
  finished there with scale, bias, ReLU and residual.
- Weights first (Clenshaw's recurrence), where they make the rows much narrower or the input is that of a coarser graph:
  one dense product for a few samples, then the sparse ones tile by tile, and the same at the end.

- The gradient keeps x alone (with ReLU also the result, the next layer's x): D = [T_k(L) dy]_k gives dx = D Wᵀ and
  dW = xᵀ D, since T_k(L) is symmetric.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from pose2mesh.errors import InputError
from pose2mesh.ops import native
from pose2mesh.ops.chebyshev import plain
from pose2mesh.ops.chebyshev.layer import GraphLayer
from pose2mesh.ops.first_derivative import first_derivative_only
from pose2mesh.ops.kept import Kept
from pose2mesh.ops.memory import new_activation, scratch
from pose2mesh.ops.native.layer import MOST_TERMS, backward, forward
from pose2mesh.ops.native.tiles import Tiles

_ROWS_AT_ONCE = 8192  # of one dense product: fewer make it slower, more no faster, and no longer fit the cache


def convolve(layer: GraphLayer) -> Tensor:
    """The layer; half precisions are computed and returned in float32.

    Without compiled kernels, and with more than three terms, it is computed by `plain`.
    """
    if not native.is_available() or layer.order > MOST_TERMS:
        return plain.convolve(layer)
    dtype = torch.float64 if layer.x.dtype == torch.float64 else torch.float32
    tensors = {name: _to(getattr(layer, name), dtype) for name in ("x", "weight", "bias", "scale", "residual")}
    layer = layer._replace(**tensors)
    if torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        raise InputError(
            "compiled graph layers cannot be traced; take `pose2mesh export`, or trace `with_tiled_operators(network)`"
        )
    if not _wants_gradient(*tensors.values()):
        return _convolve(layer)
    bare = layer._replace(residual=None, scale=None)
    y: Tensor = _Convolution.apply(layer.x, layer.scaled_weight, layer.bias, bare)  # type: ignore[assignment]
    return y if layer.residual is None else y + layer.expand(layer.residual)


def _wants_gradient(*tensors: Tensor | None) -> bool:
    """Of whatever kind: a tangent in forward mode must reach `_Convolution`, which refuses it."""
    if forward_ad._current_level >= 0:
        return True
    return torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)


class _Convolution(torch.autograd.Function):
    """relu(Σ_k T_k(L) x W_k + bias) for x [B, N or M, C_in]; the tensors stand for those of the layer."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, layer: GraphLayer) -> Tensor:
        y = _convolve(layer._replace(x=x, weight=weight, bias=bias), is_training=True)
        ctx.save_for_backward(x, weight, y if layer.has_relu else None)
        ctx.has_bias, ctx.operator, ctx.upsampling = bias is not None, layer.operator, layer.upsampling
        return y

    @staticmethod
    @first_derivative_only
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        x, weight, y = ctx.saved_tensors
        upstream = grads[0] if y is None else grads[0] * (y > 0)
        wants_x, wants_weight, wants_bias, *_ = ctx.needs_input_grad
        x, order = x.contiguous(), weight.shape[1] // x.shape[2]
        grad_x = torch.empty_like(x) if wants_x else None
        tiles = Tiles.of(ctx.operator, ctx.upsampling, x.dtype)
        transposed = wide_weight(weight, order, is_kept=False).T.contiguous()  # [K·C_out, C_in]
        grad_wide = backward(tiles, x, transposed, upstream.contiguous(), grad_x, wants_weight=wants_weight)
        grad_weight = None if grad_wide is None else _interleave(grad_wide, order)
        grad_bias = upstream.sum((0, 1)) if ctx.has_bias and wants_bias else None
        return grad_x, grad_weight, grad_bias, None


def _convolve(layer: GraphLayer, *, is_training: bool = False) -> Tensor:
    """By the C++ kernels, without gradients; [B, N, C_out]."""
    (batch, rows, channels), order = layer.x.shape, layer.order
    nodes, width = layer.operator.shape[0], layer.weight.shape[0]
    tiles = Tiles.of(layer.operator, layer.upsampling, layer.x.dtype)
    tensors = (layer.x, layer.residual, layer.scale, layer.bias)
    x, residual, scale, bias = (None if tensor is None else tensor.contiguous() for tensor in tensors)
    assert x is not None
    y = new_activation((batch, nodes, width), x.dtype)
    if rows == nodes and 2 * width > channels:
        weight = tall_weight(layer.weight, order, is_kept=not is_training)  # [K·C_in, C_out]
        forward(tiles, x, weight, y, order, scale=scale, bias=bias, relu=layer.has_relu, residual=residual)
        return y
    wide = wide_weight(layer.weight, order, is_kept=not is_training)  # [C_in, K·C_out]
    for part in _parts(batch, rows):
        flat = x[part].view(-1, channels)
        terms = torch.mm(flat, wide, out=scratch("terms", (len(flat), order * width), x.dtype))
        terms = terms.view(-1, rows, order * width)
        rest = None if residual is None else residual[part]
        forward(tiles, terms, None, y[part], order, scale=scale, bias=bias, relu=layer.has_relu, residual=rest)
    return y


def _interleave(wide: Tensor, order: int) -> Tensor:
    """[C_in, K·C_out] to [C_out, C_in·K], the order of weights."""
    return wide.unflatten(1, (order, -1)).permute(2, 0, 1).reshape(-1, order * wide.shape[0]).contiguous()


def _parts(batch: int, rows: int) -> Iterator[slice]:
    """The samples, as many at a time as make a dense product of full speed."""
    count = max(1, _ROWS_AT_ONCE // rows)
    return (slice(start, start + count) for start in range(0, batch, count))


def _to(tensor: Tensor | None, dtype: torch.dtype) -> Any:
    return tensor if tensor is None or tensor.dtype == dtype else tensor.to(dtype)


def wide_weight(weight: Tensor, order: int, *, is_kept: bool) -> Tensor:
    """[C_out, C_in·K], column c·K + k, to [C_in, K·C_out], column k·C_out + c': all terms in one product."""
    return _WIDE.get(weight, order=order) if is_kept else _lay_out_wide(weight.detach(), order)


def tall_weight(weight: Tensor, order: int, *, is_kept: bool) -> Tensor:
    """[C_out, C_in·K], column c·K + k, to [K·C_in, C_out], row k·C_in + c: for terms that lie side by side."""
    return _TALL.get(weight, order=order) if is_kept else _lay_out_tall(weight.detach(), order)


def _lay_out_wide(weight: Tensor, order: int) -> Tensor:
    return weight.unflatten(1, (-1, order)).permute(1, 2, 0).flatten(1)


def _lay_out_tall(weight: Tensor, order: int) -> Tensor:
    return weight.unflatten(1, (-1, order)).permute(2, 1, 0).flatten(0, 1).contiguous()


_WIDE, _TALL = Kept(_lay_out_wide), Kept(_lay_out_tall)
