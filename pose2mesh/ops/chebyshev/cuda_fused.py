"""The Chebyshev convolution on CUDA as one kernel: tiles of neighboring vertices with their rings on the tensor cores.

The operator must be symmetric, so that T_k(Lᵀ) = T_k(L): the gradient of x is the same kernel with the weights
transposed, and what it computes on the way, T_k of the incoming gradient, gives that of the weights by one dense
product. Never run on a GPU so far (`cuda_frame`).
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from pose2mesh.ops.chebyshev.cuda_frame import Epilogue, can_run_kernels, convolution, in_working_type, power_of_two
from pose2mesh.ops.chebyshev.layer import GraphLayer
from pose2mesh.ops.chebyshev.ring_tiles import CHUNK, RingTiles, ring_tiles

TILE = 64  # rows; more share more of their rings, but the blocks grow with the square


def supports(x: Tensor) -> bool:
    """The tensor cores have no float64 worth the name."""
    return can_run_kernels(x) and x.dtype != torch.float64


def convolve(layer: GraphLayer) -> Tensor:
    """The layer, computed in the type of x, under autocast in autocast's.

    float32 is computed as tf32 where torch may (`torch.backends.cuda.matmul.allow_tf32`), else as three tf32 products,
    which are as exact.
    """
    layer = in_working_type(layer)
    layer = layer._replace(x=layer.expand(layer.x).contiguous(), residual=layer.expand(layer.residual))
    return convolution(layer, _Tiles(ring_tiles(layer.operator, layer.order, TILE, layer.x.dtype)))


class _Tiles(NamedTuple):
    """The operator in tiles with their rings."""

    tiles: RingTiles

    def convolve(self, x: Tensor, packed: Tensor, epilogue: Epilogue) -> Tensor:
        return _convolve(x, self.tiles, packed.transpose(0, 1), epilogue)

    def gradient(self, stack: Tensor, packed: Tensor) -> Tensor:
        """The same kernel with the weights transposed, for the operator is symmetric."""
        return _convolve(stack[:, :, 0], self.tiles, packed.permute(1, 2, 0), Epilogue(), basis=stack)


def _convolve(
    x: Tensor, tiles: RingTiles, weights: Tensor, epilogue: Epilogue, *, basis: Tensor | None = None
) -> Tensor:
    """One kernel; leaves T_k x in basis[:, :, k] for k ≥ 1 if that is given.

    Shapes: x [B, N, C_in]; weights [K, C_in, C_out]; basis [B, N, K, C_in]; returns
    [B, N, C_out].
    """
    from pose2mesh.ops.chebyshev.kernels.tile_local import tile_local

    (batch, nodes, fan_in), (order, _, fan_out) = x.shape, weights.shape
    out = x.new_empty(batch, nodes, fan_out, dtype=epilogue.result_dtype(x))
    scale, bias, residual, is_relu = epilogue.contiguous()
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
