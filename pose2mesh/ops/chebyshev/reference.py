"""The definition of the Chebyshev graph convolution in plain torch. Faster backends must agree with it."""

import torch
from torch import Tensor
from torch.nn import functional

from pose2mesh.errors import InputError
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


def chebyshev_conv(
    x: Tensor,
    operator: SparseOperator,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    activation: str | None = None,
    residual: Tensor | None = None,
) -> Tensor:
    """y = activation(Σ_k T_k(L) x W_k + bias) + residual.

    Shapes: x [B, N, C_in]; operator [N, N]; weight [C_out, C_in·K], column c·K + k for channel c, degree k;
    bias [C_out]; residual [B, N, C_out]; returns [B, N, C_out]. `activation` is None or "relu".
    """
    order = check_arguments(x, weight, activation)
    basis = chebyshev_basis(x, operator, order).flatten(2)  # [B, N, C_in·K]
    y = functional.linear(basis, weight, bias)  # [B, N, C_out]
    if activation == "relu":
        y = y.relu()
    return y if residual is None else y + residual


def check_arguments(x: Tensor, weight: Tensor, activation: str | None) -> int:
    """K, from the widths of input and weight. Raises InputError unless they and the activation make sense."""
    if activation not in (None, "relu"):
        raise InputError(f"unknown activation {activation!r} of chebyshev_conv; choose None or 'relu'")
    channels, columns = x.shape[-1], weight.shape[1]
    if columns == 0 or columns % channels:
        raise InputError(
            f"chebyshev_conv weight {tuple(weight.shape)} does not fit x {tuple(x.shape)}: "
            f"its second size must be a multiple of {channels} (C_in·K)"
        )
    return columns // channels
