"""The Chebyshev convolution on the CPU without compiled kernels: the reference's values with a tenth of its copies.

Nodes come first in memory, so a sparse product runs over contiguous rows of B·C numbers; Clenshaw's recurrence applies
the weights before the Laplacian, so nothing is concatenated, and before the upsampling; scale, bias, ReLU and residual
work in place on the result; the gradient keeps only x, since T_k(L) is symmetric.
"""

from typing import Any

import torch
from torch import Tensor

from pose2mesh.ops.chebyshev.layer import GraphLayer
from pose2mesh.ops.first_derivative import first_derivative_only


def convolve(layer: GraphLayer) -> Tensor:
    """The layer, [B, N, C_out] strided as [N, B, C_out]."""
    x, upsampling, has_gradient = layer.x, layer.upsampling, torch.is_grad_enabled()
    if x.dtype in (torch.bfloat16, torch.float16):
        x = x.float()
    matrix, _ = layer.operator.matrices(x.dtype)
    weight, bias = layer.scaled_weight.to(x.dtype), None if layer.bias is None else layer.bias.to(x.dtype)
    residual = layer.expand(layer.residual)
    with torch.autocast(x.device.type, enabled=False):  # sparse products have no bfloat16
        if has_gradient:
            y = _Convolution.apply(layer.expand(x).transpose(0, 1), weight, bias, matrix)  # [N, B, C_out]
        else:  # an autograd.Function costs about 20 µs
            parents = None if upsampling is None or x.shape[1] == len(matrix) else upsampling.parents
            y = _convolve(x.transpose(0, 1), weight, bias, matrix, parents)
    if layer.has_relu:
        y = y.relu() if has_gradient else y.relu_()
    y = y.transpose(0, 1)  # [B, N, C_out]
    if residual is None:
        return y
    return y + residual if has_gradient or residual.dtype != y.dtype else y.add_(residual)


class _Convolution(torch.autograd.Function):
    """Σ_k T_k(L) x W_k + bias for x [N, B, C_in]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, matrix: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.has_bias, ctx.matrix = bias is not None, matrix
        return _convolve(x, weight, bias, matrix)

    @staticmethod
    @first_derivative_only
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        x, weight = ctx.saved_tensors
        nodes, batch, channels = x.shape
        weights = weight.unflatten(1, (channels, -1)).permute(2, 0, 1)  # [K, C_out, C_in]
        rows = x.reshape(nodes * batch, channels)
        grad_x = torch.zeros_like(rows)
        grad_weights = []
        upstream = grads[0].reshape(nodes, batch * len(weight))  # [N, B·C_out]
        with torch.autocast(x.device.type, enabled=False):  # where backward is called within one
            for term, w in zip(_basis(ctx.matrix, upstream, len(weights)), weights, strict=True):
                gradient = term.reshape(nodes * batch, len(weight))  # [N·B, C_out] = T_k(L) dy
                grad_x.addmm_(gradient, w)
                grad_weights.append(gradient.T @ rows)  # [C_out, C_in]
        grad_bias = upstream.reshape(nodes * batch, len(weight)).sum(0) if ctx.has_bias else None
        return grad_x.view_as(x), torch.stack(grad_weights, -1).flatten(1), grad_bias, None


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None, matrix: Tensor, parents: Tensor | None = None) -> Tensor:
    """Shapes: x [N, B, C_in], or [M, B, C_in] with parents [N]; weight [C_out, C_in·K]; returns [N, B, C_out]."""
    nodes, batch, channels = x.shape
    rows = x.reshape(nodes * batch, channels)
    weights = weight.reshape(len(weight), channels, -1).permute(2, 1, 0).contiguous()  # [K, C_in, C_out]
    first = rows @ weights[0] if bias is None else torch.addmm(bias, rows, weights[0])
    terms = [first, *(rows @ w for w in weights[1:])]  # K × [N·B, C_out]
    wide = [term.view(nodes, batch * len(weight)) for term in terms]  # K × [N or M, B·C_out]
    if parents is not None:
        wide = [term.index_select(0, parents) for term in wide]
    return _clenshaw(matrix, wide).view(len(matrix), batch, len(weight))


def _clenshaw(matrix: Tensor, terms: list[Tensor]) -> Tensor:
    """Σ_k T_k(L) u_k for u_k [N, C]: b_k = u_k + 2 L b_{k+1} − b_{k+2}, the sum is u_0 + L b_1 − b_2.

    The terms are overwritten.
    """
    after, after_next = None, None  # b_{k+1}, b_{k+2}
    for k in range(len(terms) - 1, -1, -1):
        current = terms[k]
        if after_next is not None:
            current.sub_(after_next)
        if after is not None:
            torch.addmm(current, matrix, after, alpha=2 if k else 1, out=current)
        after, after_next = current, after
    assert after is not None  # there is at least one term
    return after


def _basis(matrix: Tensor, y: Tensor, order: int) -> list[Tensor]:
    """T_0 y … T_{order-1} y, each [N, C]."""
    basis = [y]
    if order > 1:
        basis.append(matrix @ y)
    for _ in range(2, order):
        basis.append(torch.addmm(basis[-2], matrix, basis[-1], beta=-1, alpha=2))
    return basis
