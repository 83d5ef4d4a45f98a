"""What every backend of the Chebyshev convolution may rely on, checked once at the public boundary."""

from typing import Any

import torch
from torch import Tensor

from pose2mesh.errors import InputError
from pose2mesh.ops.sparse import SparseOperator
from pose2mesh.ops.upsampling import Upsampling

ACTIVATIONS = (None, "relu")
_FLOATS = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def check_arguments(x: Tensor, weight: Tensor, activation: str | None) -> int:
    """K, from the widths of input and weight. Raises InputError unless they and the activation make sense."""
    if activation not in ACTIVATIONS:
        raise InputError(f"unknown activation {activation!r} of chebyshev_conv; choose None or 'relu'")
    if x.ndim != 3 or x.shape[2] == 0:
        raise _misshapen("x", x, "[B, N, C_in] with at least one channel")
    channels = x.shape[2]
    if weight.ndim != 2 or weight.shape[1] == 0 or weight.shape[1] % channels:
        raise _misshapen("weight", weight, f"[C_out, a multiple of {channels} (C_in·K)] for x {tuple(x.shape)}")
    return weight.shape[1] // channels


def check_call(
    x: Tensor,
    operator: SparseOperator,
    weight: Tensor,
    bias: Tensor | None,
    activation: str | None,
    residual: Tensor | None,
    scale: Tensor | None,
    upsampling: Upsampling | None,
) -> None:
    """Raise InputError unless the arguments of `chebyshev_conv` belong together."""
    check_arguments(x, weight, activation)
    if operator.device != x.device:
        raise InputError(f"the operator of chebyshev_conv is on {operator.device}, x on {x.device}; move one of them")
    if not operator.is_symmetric:
        raise InputError(
            f"chebyshev_conv needs a symmetric operator, as a graph's Laplacian is; this one is not: {operator}"
        )
    nodes = operator.shape[0]
    heights = (nodes,) if upsampling is None else (nodes, upsampling.coarse_nodes)
    if x.shape[1] not in heights:
        raise _misshapen(
            "x", x, f"[B, {' or '.join(map(str, heights))}, C_in] for the operator {tuple(operator.shape)}"
        )
    for name, vector in (("bias", bias), ("scale", scale)):
        if vector is not None and vector.shape != weight.shape[:1]:
            raise _misshapen(name, vector, f"[{weight.shape[0]}] for weight {tuple(weight.shape)}")
    if residual is not None and (
        residual.ndim != 3 or residual.shape[::2] != (x.shape[0], weight.shape[0]) or residual.shape[1] not in heights
    ):
        raise _misshapen("residual", residual, f"[{x.shape[0]}, {' or '.join(map(str, heights))}, {weight.shape[0]}]")
    is_double = x.dtype == torch.float64
    for name, tensor in (("x", x), ("weight", weight), ("bias", bias), ("scale", scale), ("residual", residual)):
        if tensor is None:
            continue
        if tensor.dtype not in _FLOATS or (tensor.dtype == torch.float64) != is_double:
            raise InputError(
                f"chebyshev_conv {name} is {tensor.dtype}, x is {x.dtype}; expected floats, and float64 for all or none"
            )
        if tensor.device != x.device:
            raise InputError(f"chebyshev_conv {name} is on {tensor.device}, x on {x.device}; move both to one device")


def expand(x: Any, operator: SparseOperator, upsampling: Upsampling | None) -> Any:
    """Values of a coarser graph at the nodes of this one: [B, M, C] to [B, N, C]; others, and None, as they are."""
    if x is None or upsampling is None or x.shape[1] == operator.shape[0]:
        return x
    return upsampling(x)


def _misshapen(name: str, tensor: Tensor, expected: str) -> InputError:
    return InputError(f"chebyshev_conv {name} has shape {tuple(tensor.shape)}; expected {expected}")
