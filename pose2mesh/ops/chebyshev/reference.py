"""The definition of the Chebyshev graph convolution in plain torch. Faster backends must agree with it."""

import torch
from torch import Tensor
from torch.nn import functional

from pose2mesh.ops.chebyshev.layer import GraphLayer
from pose2mesh.ops.sparse import SparseOperator


def chebyshev_basis(x: Tensor, operator: SparseOperator, order: int) -> Tensor:
    """Stack T_0(L)x … T_{order-1}(L)x, the Chebyshev polynomials of a scaled Laplacian.

    T_0 = x,  T_1 = Lx,  T_k = 2·L·T_{k-1} − T_{k-2}   (Defferrard et al. 2016, eq. 4)

    Shapes: x [B, N, C]; operator [N, N]; returns [B, N, C, order].
    """
    basis = [x]  # [B, N, C]
    if order > 1:
        basis.append(operator.matmul(x))
    for _ in range(2, order):
        basis.append(2 * operator.matmul(basis[-1]) - basis[-2])
    return torch.stack(basis, dim=-1)  # [B, N, C, order]


def convolve(layer: GraphLayer) -> Tensor:
    """The formula of `GraphLayer`, term by term."""
    x, residual = layer.expand(layer.x), layer.expand(layer.residual)
    basis = chebyshev_basis(x, layer.operator, layer.order).flatten(2)  # [B, N, C_in·K], of half precisions in float32
    weight, bias = layer.weight.to(basis.dtype), None if layer.bias is None else layer.bias.to(basis.dtype)
    if layer.scale is None:
        y = functional.linear(basis, weight, bias)  # [B, N, C_out]
    else:
        y = functional.linear(basis, weight) * layer.scale
        y = y if bias is None else y + bias
    if layer.has_relu:
        y = y.relu()
    return y if residual is None else y + residual
