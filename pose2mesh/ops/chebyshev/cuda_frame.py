"""What both CUDA paths share around their kernels: whether these can run, types, weights, one autograd function.

Nothing here loads triton. Never run on a GPU so far: Triton's interpreter agrees with the reference, and the kernels
compile for sm_80 to sm_100.
"""

import functools
from importlib.util import find_spec
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from pose2mesh.errors import warn
from pose2mesh.ops.chebyshev.layer import GraphLayer
from pose2mesh.ops.first_derivative import first_derivative_only

_LEAST_CAPABILITY = (8, 0)  # bfloat16 on the tensor cores, and what the tests compile for
_NUMBERS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


def can_run_kernels(x: Tensor) -> bool:
    """Whether the kernels take this tensor: on a CUDA device that they are made for, with triton installed."""
    return x.is_cuda and x.dtype in _NUMBERS and why_not(x.device) is None


@functools.cache
def why_not(device: torch.device) -> str | None:
    """What stands in the way of the kernels on a CUDA device, with the remedy; None if nothing does."""
    if find_spec("triton") is None:
        return "the package triton is not installed (pip install triton; it comes with torch's CUDA wheels on Linux)"
    capability = torch.cuda.get_device_capability(device)
    if capability < _LEAST_CAPABILITY:
        name = torch.cuda.get_device_name(device)
        return f"{name} has compute capability {capability[0]}.{capability[1]}, the kernels need 8.0"
    return None


@functools.cache
def notice_fallback(device: torch.device) -> None:
    """Say in one line, once, that a CUDA device runs the reference."""
    if reason := why_not(device):
        warn(f"graph layers on {device} run on the reference path: {reason}")


def in_working_type(layer: GraphLayer) -> GraphLayer:
    """With x in the type that a linear layer would compute in: autocast's where it is on, except for float64."""
    kind = layer.x.device.type
    if torch.is_autocast_enabled(kind) and layer.x.dtype != torch.float64:
        return layer._replace(x=layer.x.to(torch.get_autocast_dtype(kind)))
    return layer


def pack(weight: Tensor, channels: int, dtype: torch.dtype) -> Tensor:
    """The weights of all degrees beside each other: [C_out, C_in·K] to [C_in, K, C_out]."""
    return weight.to(dtype).unflatten(1, (channels, -1)).permute(1, 2, 0).contiguous()


def stacked_gradient(gradient: Tensor, y: Tensor | None, order: int) -> Tensor:
    """Room for T_k of a gradient, [B, N, K, C]; place 0 holds the gradient [B, N, C] itself, zero where y ≤ 0."""
    batch, nodes, channels = gradient.shape
    stack = gradient.new_empty(batch, nodes, order, channels)
    if y is None:
        stack[:, :, 0] = gradient
    else:
        torch.ops.aten.threshold_backward.grad_input(gradient, y, 0, grad_input=stack[:, :, 0])
    return stack


def power_of_two(number: int) -> int:
    """The least power of two that is not below a number."""
    return 1 << (number - 1).bit_length()


class Epilogue(NamedTuple):
    """relu(scale · y + bias) + residual."""

    scale: Tensor | None = None  # [C_out]
    bias: Tensor | None = None  # [C_out]
    residual: Tensor | None = None  # [B, N or M, C_out]
    is_relu: bool = False

    def contiguous(self) -> "Epilogue":
        scale, bias, residual = (None if t is None else t.contiguous() for t in self[:3])
        return Epilogue(scale, bias, residual, self.is_relu)

    def result_dtype(self, x: Tensor) -> torch.dtype:
        return x.dtype if self.residual is None else torch.promote_types(x.dtype, self.residual.dtype)


class Kernels(Protocol):
    """One layer's graph, ready for the kernels of a path."""

    def convolve(self, x: Tensor, packed: Tensor, epilogue: Epilogue) -> Tensor:
        """[B, N, C_in] and weights [C_in, K, C_out] to [B, N, C_out]."""
        ...

    def gradient(self, stack: Tensor, packed: Tensor) -> Tensor:
        """Gradient of x [B, N, C_in]; fills stack [B, N, K, C_out] beyond place 0 with T_k of the incoming gradient."""
        ...


def convolution(layer: GraphLayer, kernels: Kernels) -> Tensor:
    """The layer, with gradients where they are on."""
    x, bias, residual, is_relu = layer.x, layer.bias, layer.residual, layer.has_relu
    if not torch.is_grad_enabled():
        epilogue = Epilogue(layer.scale, bias, residual, is_relu)
        return kernels.convolve(x, pack(layer.weight, x.shape[2], x.dtype), epilogue)
    packed = pack(layer.scaled_weight, x.shape[2], x.dtype)  # [C_in, K, C_out]
    # The gradient of a ReLU is read off its result, so a residual must not be in it yet.
    inside = None if is_relu else residual
    y: Tensor = _Convolution.apply(x, packed, bias, inside, kernels, is_relu)  # type: ignore[assignment]
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
        kernels: Kernels,
        is_relu: bool,
    ) -> Tensor:
        y = kernels.convolve(x, packed, Epilogue(None, bias, residual, is_relu))
        ctx.save_for_backward(x, packed, y if is_relu else None)
        ctx.kernels = kernels
        ctx.bias_dtype, ctx.residual_dtype = (None if t is None else t.dtype for t in (bias, residual))
        return y

    @staticmethod
    @first_derivative_only
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        x, packed, y = ctx.saved_tensors
        stack = stacked_gradient(grads[0].to(x.dtype), y, packed.shape[1])  # [B, N, K, C_out]
        grad_x = ctx.kernels.gradient(stack, packed)
        grad_packed = x.reshape(-1, x.shape[2]).T @ stack.flatten(0, 1).flatten(1)  # [C_in, K·C_out]
        grad_bias = None if ctx.bias_dtype is None else stack[:, :, 0].sum((0, 1), dtype=ctx.bias_dtype)
        grad_residual = None if ctx.residual_dtype is None else grads[0].to(ctx.residual_dtype)
        return grad_x, grad_packed.unflatten(1, stack.shape[2:]), grad_bias, grad_residual, None, None
