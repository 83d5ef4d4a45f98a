"""The definition of the Chebyshev graph convolution in plain torch. Faster backends must agree with it."""

import torch
from torch import Tensor
from torch.nn import functional

from pose2mesh.ops.chebyshev.arguments import check_arguments, expand
from pose2mesh.ops.sparse import SparseOperator
from pose2mesh.ops.upsampling import Upsampling


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
) -> Tensor:
    """y = activation(scale · Σ_k T_k(L) x W_k + bias) + residual.

    With `upsampling` x and the residual may be those of the coarser graph, M nodes, and are copied to their children.
    `scale` and `bias` are what a batch norm with fixed statistics comes to. `activation` is None or "relu".

    Shapes: x [B, N or M, C_in]; operator [N, N], symmetric; weight [C_out, C_in·K], column c·K + k for channel c,
    degree k; bias, scale [C_out]; residual [B, N or M, C_out]; returns [B, N, C_out].
    """
    x, residual = expand(x, operator, upsampling), expand(residual, operator, upsampling)
    order = check_arguments(x, weight, activation)
    basis = chebyshev_basis(x, operator, order).flatten(2)  # [B, N, C_in·K], of half precisions in float32
    weight, bias = weight.to(basis.dtype), None if bias is None else bias.to(basis.dtype)
    if scale is None:
        y = functional.linear(basis, weight, bias)  # [B, N, C_out]
    else:
        y = functional.linear(basis, weight) * scale
        y = y if bias is None else y + bias
    if activation == "relu":
        y = y.relu()
    return y if residual is None else y + residual
