"""What both CUDA paths share around their kernels: types, packed weights, and one autograd function.

Never run on a GPU so far: Triton's interpreter agrees with the reference, and the kernels compile for sm_80 to sm_100.
"""

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from pose2mesh.ops.chebyshev.triton_support import pack, stacked_gradient
from pose2mesh.ops.first_derivative import first_derivative_only


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


def convolution(x: Tensor, weight: Tensor, epilogue: Epilogue, kernels: Kernels) -> Tensor:
    """The layer, with gradients where they are on; weight [C_out, C_in·K]."""
    scale, bias, residual, is_relu = epilogue
    if not torch.is_grad_enabled():
        return kernels.convolve(x, pack(weight, x.shape[2], x.dtype), epilogue)
    packed = pack(weight if scale is None else weight * scale[:, None], x.shape[2], x.dtype)  # [C_in, K, C_out]
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
