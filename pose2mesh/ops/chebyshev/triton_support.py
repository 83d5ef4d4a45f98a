"""Whether the Triton kernels can run on a device, and what they share. Nothing here loads triton before it is used."""

import functools
from importlib.util import find_spec

import torch
from torch import Tensor

from pose2mesh.errors import warn

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


def working_dtype(x: Tensor) -> torch.dtype:
    """The type a linear layer would compute in: autocast's where it is on, except for float64."""
    kind = x.device.type
    if torch.is_autocast_enabled(kind) and x.dtype != torch.float64:
        return torch.get_autocast_dtype(kind)
    return x.dtype


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
