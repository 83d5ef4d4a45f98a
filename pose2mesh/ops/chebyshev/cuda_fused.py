"""The Chebyshev convolution on CUDA as one kernel: tiles of neighboring vertices with their rings on the tensor cores.

The operator must be symmetric, so that T_k(Lᵀ) = T_k(L): the gradient of x is the same kernel with the weights
transposed, and what it computes on the way, T_k of the incoming gradient, gives that of the weights by one dense
product.
"""

from typing import Any

import torch
from torch import Tensor

from pose2mesh.ops.chebyshev.arguments import expand
from pose2mesh.ops.chebyshev.cuda import dtype_of, parameter_gradients, residual_gradient, result_dtype
from pose2mesh.ops.chebyshev.ring_tiles import CHUNK, RingTiles, ring_tiles
from pose2mesh.ops.chebyshev.triton_support import (
    can_run_kernels,
    pack,
    power_of_two,
    stacked_gradient,
    working_dtype,
)
from pose2mesh.ops.first_derivative import first_derivative_only
from pose2mesh.ops.sparse import SparseOperator
from pose2mesh.ops.upsampling import Upsampling

TILE = 64  # rows; more share more of their rings, but the blocks grow with the square


def supports(x: Tensor) -> bool:
    """The tensor cores have no float64 worth the name."""
    return can_run_kernels(x) and x.dtype != torch.float64


def chebyshev_conv(
    x: Tensor,
    operator: SparseOperator,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    activation: str | None = None,
    residual: Tensor | None = None,
    scale: Tensor | None = None,
    upsampling: Upsampling | None = None,
    tile: int = TILE,
) -> Tensor:
    """See `reference.chebyshev_conv`. Computes in the type of x, under autocast in autocast's.

    float32 is computed as tf32 where torch may (`torch.backends.cuda.matmul.allow_tf32`), else as three tf32 products,
    which are as exact.
    """
    order = weight.shape[1] // x.shape[2]
    x, residual = expand(x, operator, upsampling), expand(residual, operator, upsampling)
    x = x.to(working_dtype(x)).contiguous()
    has_gradient = torch.is_grad_enabled()
    if has_gradient and scale is not None:
        weight, scale = weight * scale[:, None], None
    packed = pack(weight, x.shape[2], x.dtype)  # [C_in, K, C_out]
    tiles = ring_tiles(operator, order, tile, x.dtype)
    is_relu = activation == "relu"
    if not has_gradient:
        return _convolve(x, tiles, packed.transpose(0, 1), bias, residual, is_relu, scale=scale)
    inside = None if is_relu else residual  # see `cuda.py`
    y: Tensor = _Convolution.apply(x, packed, bias, inside, tiles, is_relu)  # type: ignore[assignment]
    return y if residual is None or inside is residual else y + residual


class _Convolution(torch.autograd.Function):
    """relu(Σ_k T_k(L) x W_k + bias) + residual for packed weights [C_in, K, C_out]."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        packed: Tensor,
        bias: Tensor | None,
        residual: Tensor | None,
        tiles: RingTiles,
        is_relu: bool,
    ) -> Tensor:
        y = _convolve(x, tiles, packed.transpose(0, 1), bias, residual, is_relu)
        ctx.save_for_backward(x, packed, y if is_relu else None)
        ctx.tiles = tiles
        ctx.bias_dtype, ctx.residual_dtype = dtype_of(bias), dtype_of(residual)
        return y

    @staticmethod
    @first_derivative_only
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        x, packed, y = ctx.saved_tensors
        stack = stacked_gradient(grads[0].to(x.dtype), y, packed.shape[1])  # [B, N, K, C_out]
        grad_x = _convolve(stack[:, :, 0], ctx.tiles, packed.permute(1, 2, 0), basis=stack)
        return grad_x, *parameter_gradients(ctx, x, stack), residual_gradient(ctx, grads[0]), None, None


def _convolve(
    x: Tensor,
    tiles: RingTiles,
    weights: Tensor,
    bias: Tensor | None = None,
    residual: Tensor | None = None,
    is_relu: bool = False,
    *,
    scale: Tensor | None = None,
    basis: Tensor | None = None,
) -> Tensor:
    """One kernel; leaves T_k x in basis[:, :, k] for k ≥ 1 if that is given.

    Shapes: x [B, N, C_in]; weights [K, C_in, C_out]; residual [B, N, C_out]; basis [B, N, K, C_in]; returns
    [B, N, C_out].
    """
    from pose2mesh.ops.chebyshev.kernels.tile_local import tile_local

    (batch, nodes, fan_in), (order, _, fan_out) = x.shape, weights.shape
    out = x.new_empty(batch, nodes, fan_out, dtype=result_dtype(x, residual))
    scale, bias, residual = (None if t is None else t.contiguous() for t in (scale, bias, residual))
    meta = launch_settings(x.dtype, order, tiles.tile, fan_in, fan_out)
    grid = (-(-nodes // tiles.tile), -(-fan_out // meta["BLOCK_OUT"]), batch)
    with torch.cuda.device_of(x):
        tile_local[grid](
            x, tiles.rings, tiles.first_column, tiles.widths, tiles.blocks, weights, scale, bias, residual,
            basis, out,
            nodes, fan_in, fan_out, x.stride(1), *weights.stride(),  # pyright: ignore[reportArgumentType]
            IS_RELU=is_relu, **meta,  # pyright: ignore[reportArgumentType]
        )  # fmt: skip
    return out


def launch_settings(dtype: torch.dtype, order: int, tile: int, fan_in: int, fan_out: int) -> dict[str, Any]:
    """Block sizes and schedule of the kernel: what fits the shared memory of all architectures."""
    is_single = dtype == torch.float32
    is_exact = is_single and not torch.backends.cuda.matmul.allow_tf32
    block_out = max(16, min(power_of_two(fan_out), 64 if is_exact else 128))  # wider ones spill registers
    return {
        "ORDER": order,
        "TILE": tile,
        "CHUNK": CHUNK,
        "BLOCK_IN": max(16, min(power_of_two(fan_in), 32 if is_single else 64)),
        "BLOCK_OUT": block_out,
        "PRECISION": "tf32x3" if is_exact else "tf32",
        "num_warps": 8 if block_out >= 128 else 4,
        "num_stages": 2 if is_single else 3,
    }
