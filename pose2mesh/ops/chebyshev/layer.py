"""One call of the Chebyshev convolution, as every backend is given it; checked once, at the public boundary."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from pose2mesh.errors import InputError
from pose2mesh.ops.sparse import SparseOperator
from pose2mesh.ops.upsampling import Upsampling

_FLOATS = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


class GraphLayer(NamedTuple):
    """y = activation(scale · Σ_k T_k(L) x W_k + bias) + residual, [B, N, C_out].

    With `upsampling` x and the residual may be those of the coarser graph, M nodes, and are copied to their children.
    `scale` and `bias` are what a batch norm with fixed statistics comes to.
    """

    x: Tensor  # [B, N or M, C_in]
    operator: SparseOperator  # [N, N], symmetric
    weight: Tensor  # [C_out, C_in·K], column c·K + k for channel c, degree k
    bias: Tensor | None = None  # [C_out]
    activation: str | None = None  # None or "relu"
    residual: Tensor | None = None  # [B, N or M, C_out]
    scale: Tensor | None = None  # [C_out]
    upsampling: Upsampling | None = None

    @property
    def order(self) -> int:
        """K"""
        return self.weight.shape[1] // self.x.shape[2]

    @property
    def has_relu(self) -> bool:
        return self.activation == "relu"

    @property
    def scaled_weight(self) -> Tensor:
        """[C_out, C_in·K], of the same layer without `scale`."""
        return self.weight if self.scale is None else self.weight * self.scale[:, None]

    def expand(self, x: Any) -> Any:
        """Values of the coarser graph at the nodes of this one: [B, M, C] to [B, N, C]; others, and None, as is."""
        if x is None or self.upsampling is None or x.shape[1] == self.operator.shape[0]:
            return x
        return self.upsampling(x)

    def check(self) -> None:
        """Raise InputError unless all of it belongs together."""
        x, operator, weight, bias, activation, residual, scale, upsampling = self
        if activation not in (None, "relu"):
            raise InputError(f"unknown activation {activation!r} of chebyshev_conv; choose None or 'relu'")
        if x.ndim != 3 or x.shape[2] == 0:
            raise _misshapen("x", x, "[B, N, C_in] with at least one channel")
        if weight.ndim != 2 or weight.shape[1] == 0 or weight.shape[1] % x.shape[2]:
            raise _misshapen("weight", weight, f"[C_out, a multiple of {x.shape[2]} (C_in·K)] for x {tuple(x.shape)}")
        if operator.device != x.device:
            raise InputError(
                f"the operator of chebyshev_conv is on {operator.device}, x on {x.device}; move one of them"
            )
        if not operator.is_symmetric:
            raise InputError(
                f"chebyshev_conv needs a symmetric operator, as a graph's Laplacian is; this one is not: {operator}"
            )
        nodes = operator.shape[0]
        heights = (nodes,) if upsampling is None else (nodes, upsampling.coarse_nodes)
        either = " or ".join(map(str, heights))
        if x.shape[1] not in heights:
            raise _misshapen("x", x, f"[B, {either}, C_in] for the operator {tuple(operator.shape)}")
        for name, vector in (("bias", bias), ("scale", scale)):
            if vector is not None and vector.shape != weight.shape[:1]:
                raise _misshapen(name, vector, f"[{weight.shape[0]}] for weight {tuple(weight.shape)}")
        outer = (x.shape[0], weight.shape[0])
        if residual is not None and (
            residual.ndim != 3 or residual.shape[::2] != outer or residual.shape[1] not in heights
        ):
            raise _misshapen("residual", residual, f"[{outer[0]}, {either}, {outer[1]}]")
        for name in ("x", "weight", "bias", "scale", "residual"):
            _check_alike(name, getattr(self, name), x)


def _check_alike(name: str, tensor: Tensor | None, x: Tensor) -> None:
    """Raise InputError unless a tensor of the layer has the kind of numbers and the device of x."""
    if tensor is None:
        return
    if tensor.dtype not in _FLOATS or (tensor.dtype == torch.float64) != (x.dtype == torch.float64):
        raise InputError(
            f"chebyshev_conv {name} is {tensor.dtype}, x is {x.dtype}; expected floats, and float64 for all or none"
        )
    if tensor.device != x.device:
        raise InputError(f"chebyshev_conv {name} is on {tensor.device}, x on {x.device}; move both to one device")


def _misshapen(name: str, tensor: Tensor, expected: str) -> InputError:
    return InputError(f"chebyshev_conv {name} has shape {tuple(tensor.shape)}; expected {expected}")
