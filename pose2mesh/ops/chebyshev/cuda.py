"""The Chebyshev convolution on CUDA: one dense product by cuBLAS, then K − 1 sparse products in Triton.

Clenshaw's recurrence puts the weights before the Laplacian, so all degrees come from one dense product and nothing is
concatenated. Each sparse product does its step of the recurrence in the same pass over memory, the last one bias, ReLU
and residual too. Sums are in float32. The gradient keeps x (and y, for the ReLU); T_k(Lᵀ) of the incoming gradient
gives both dx and dW by one dense product each. No atomics: the results are the same in every run.
Never run on a GPU so far (`cuda_frame`).
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from pose2mesh.ops.chebyshev.cuda_frame import Epilogue, convolution, in_working_type, power_of_two
from pose2mesh.ops.chebyshev.layer import GraphLayer
from pose2mesh.ops.first_derivative import first_derivative_only
from pose2mesh.ops.sparse import SparseOperator
from pose2mesh.ops.upsampling import Upsampling

Rows = tuple[Tensor, Tensor, Tensor]  # crow [N + 1], col [nnz], values [nnz]
_RESULTS = 2048  # of a program with 4 warps: 16 in each thread


def convolve(layer: GraphLayer) -> Tensor:
    """The layer, computed in the type of x, under autocast in autocast's."""
    layer, upsampling = in_working_type(layer), layer.upsampling
    if torch.is_grad_enabled() and upsampling is not None:
        layer = layer._replace(x=_copied(layer, layer.x), residual=_copied(layer, layer.residual))
        upsampling = None
    return convolution(layer, _Rows(layer.operator, None if upsampling is None else upsampling.parents))


class _Rows(NamedTuple):
    """The operator by rows; parents [N] of nodes whose values are those of the coarser graph."""

    operator: SparseOperator
    parents: Tensor | None

    def convolve(self, x: Tensor, packed: Tensor, epilogue: Epilogue) -> Tensor:
        """Clenshaw: b_k = u_k + 2 L b_{k+1} − b_{k+2} for u_k = x W_k; the sum is u_0 + L b_1 − b_2.

        Values of the coarser graph are multiplied by the weights as they are and copied to their children in the sparse
        products.

        Shapes: x [B, N or M, C_in]; packed [C_in, K, C_out]; returns [B, N, C_out].
        """
        (batch, height, channels), (_, order, fan_out) = x.shape, packed.shape
        rows: Rows = (self.operator.crow, self.operator.col, self.operator.values)
        nodes = len(rows[0]) - 1
        u = (x.reshape(-1, channels) @ packed.flatten(1)).view(batch, height, order, fan_out)
        b = [u[:, :, k] for k in range(order)]  # each [B, N or M, C_out], overwritten if it is [B, N, C_out]
        for k in range(order - 2, 0, -1):
            out = b[k] if height == nodes else x.new_empty(batch, nodes, fan_out)
            multiply(rows, b[k + 1], out, alpha=2, term=b[k], before=_get(b, k + 2), parents=self.parents)
            b[k] = out
        out = x.new_empty(batch, nodes, fan_out, dtype=epilogue.result_dtype(x))
        if order == 1:
            rows, b = (torch.zeros_like(rows[0]), *rows[1:]), [b[0], b[0]]  # a matrix of zeros: the same epilogue
        multiply(rows, b[1], out, term=b[0], before=_get(b, 2), parents=self.parents, epilogue=epilogue)
        return out

    def gradient(self, stack: Tensor, packed: Tensor) -> Tensor:
        """By T_k of the transposed operator, then one dense product with all weights."""
        operator = self.operator
        transposed = operator.crow_transposed, operator.col_transposed, operator.values_transposed
        for k in range(1, packed.shape[1]):
            before = stack[:, :, k - 2] if k > 1 else None
            multiply(transposed, stack[:, :, k - 1], stack[:, :, k], alpha=2 if k > 1 else 1, before=before)
        wide = stack.flatten(0, 1).flatten(1)  # [B·N, K·C_out]
        return (wide @ packed.flatten(1).T).view(*stack.shape[:2], -1)


def _get(terms: list[Tensor], k: int) -> Tensor | None:
    return terms[k] if k < len(terms) else None


def _copied(layer: GraphLayer, x: Any) -> Any:
    """`GraphLayer.expand` with a gradient of ours."""
    return x if x is None or x.shape[1] == layer.operator.shape[0] else _Copies.apply(x, layer.upsampling)


class _Copies(torch.autograd.Function):
    """Each node takes the value of its parent. Torch's own gradient of that adds up in an order that changes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, upsampling: Upsampling) -> Tensor:
        ctx.parents, ctx.coarse_nodes = upsampling.parents, upsampling.coarse_nodes
        return upsampling(x)

    @staticmethod
    @first_derivative_only
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        """The children of a node are consecutive: a sparse product with ones."""
        gradient, parents = grads[0].contiguous(), ctx.parents
        nodes = torch.arange(ctx.coarse_nodes + 1, device=parents.device)
        crow = torch.searchsorted(parents, nodes).int()  # [M + 1]
        children = torch.arange(len(parents), dtype=torch.int32, device=parents.device)
        out = gradient.new_empty(len(gradient), ctx.coarse_nodes, gradient.shape[2])
        multiply((crow, children, torch.ones_like(children, dtype=torch.float32)), gradient, out)
        return out, None


def multiply(
    rows: Rows,
    x: Tensor,
    out: Tensor,
    *,
    alpha: int = 1,
    term: Tensor | None = None,
    before: Tensor | None = None,
    parents: Tensor | None = None,
    epilogue: Epilogue = Epilogue(),  # noqa: B008 - it cannot be changed
) -> None:
    """out = relu(scale · (alpha · matrix · x + term − before) + bias) + residual, in one kernel.

    All are [B, N, C], or with `parents` [B, M, C], strided like a part of a contiguous [B, N, K, C].
    """
    from pose2mesh.ops.chebyshev.kernels.sparse_product import sparse_product

    batch, nodes, channels = out.shape
    scale, bias, residual, is_relu = epilogue.contiguous()
    block_channels = min(power_of_two(channels), 128)
    block_nodes = min(_RESULTS // block_channels, 128)
    grid = (-(-nodes // block_nodes), -(-channels // block_channels), batch)
    parts = (x, term, before, residual)
    heights = [nodes if part is None else part.shape[1] for part in parts]
    coarse = [parents is not None and height != nodes for height in heights]
    names = ("IS_X_COARSE", "IS_TERM_COARSE", "IS_BEFORE_COARSE", "IS_RESIDUAL_COARSE")
    strides = [0 if part is None else part.stride(1) for part in (*parts, out)]
    with torch.cuda.device_of(x):
        sparse_product[grid](
            *rows, parents if any(coarse) else None, x, term, before, scale, bias, residual, out,
            nodes, x.shape[1], min(heights), channels, *strides,
            ALPHA=alpha, IS_RELU=is_relu, BLOCK_NODES=block_nodes, BLOCK_CHANNELS=block_channels, num_warps=4,  # pyright: ignore[reportCallIssue]
            **dict(zip(names, coarse, strict=True)),
        )  # fmt: skip
