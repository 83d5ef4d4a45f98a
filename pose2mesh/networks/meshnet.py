"""The classic MeshNet: joints to vertices by Chebyshev graph convolution, coarse to fine (Choi et al. 2020).

Module names follow the published checkpoints, so that their keys load as they are.
"""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pose2mesh.errors import InputError
from pose2mesh.ops import LIFETIME, Kept, SparseOperator, Upsampling, batch_norm_relu, chebyshev_conv, in_micro_batches

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from pose2mesh.hierarchy import Hierarchy
    from pose2mesh.hierarchy.laplacian import Scaling

ChannelPlan = tuple[tuple[int, ...], ...]

# Widths through each block: the joint graph, one block per level from coarse to fine, one more on the finest.
_WIDE = (256, 256, 256)
_NARROW = (128, 128, 128)
BODY_PLAN: ChannelPlan = ((5, 32, 64, 64), (64, 128, 256), *[_WIDE] * 4, (256, 128, 128), *[_NARROW] * 2, (128, 64, 3))
HAND_PLAN: ChannelPlan = ((5, 32, 64, 64), (64, 128, 256), *[_WIDE] * 3, (256, 128, 128), (128, 64, 3))


def narrowed(plan: ChannelPlan, divisor: int) -> ChannelPlan:
    """A plan with its channels divided, at least 4; what goes in (5) and comes out (3) stays."""
    if divisor == 1:
        return plan
    inner = [[max(4, width // divisor) for width in block] for block in plan]
    inner[0][0], inner[-1][-1] = plan[0][0], plan[-1][-1]
    return tuple(map(tuple, inner))


class MeshNet(nn.Module):
    """2D and 3D joints to the vertices of a mesh, in metres.

    The graphs are constants and not part of the state, as the published checkpoints do not hold them. Fake rows, two
    fifths of all, are isolated and never in the output, so they are left out. That changes one thing: in training,
    batch norms take the statistics of the real nodes alone. `keeps_fake_rows` leaves all as published.
    """

    inverse: Tensor  # [V] row of the finest level that holds each vertex
    coarse_rows: Tensor  # rows of the coarsest level that are kept

    def __init__(
        self,
        joint_operator: "csr_matrix",
        level_operators: "Sequence[csr_matrix]",
        inverse: np.ndarray,
        plan: ChannelPlan = BODY_PLAN,
        *,
        order: int = 3,
        keeps_fake_rows: bool = False,
    ):
        """`level_operators`: scaled Laplacians, coarse to fine, each with twice the nodes of the last.

        Shapes: joint_operator [J, J]; level_operators [N_i, N_i]; inverse [V] row of each vertex in the finest level.
        Raises InputError when plan and levels do not belong together.
        """
        super().__init__()
        joints, *sizes = (int(matrix.shape[0]) for matrix in (joint_operator, *level_operators))  # pyright: ignore[reportOptionalSubscript]
        _check(plan, sizes)
        inverse = np.asarray(inverse, np.int64)
        kept = [np.arange(size) for size in sizes] if keeps_fake_rows else rows_to_keep(level_operators, inverse)
        matrices = [matrix[rows][:, rows] for matrix, rows in zip(level_operators, kept, strict=True)]
        self.plan = plan
        self.coarse_nodes = sizes[0]
        self.operators = nn.ModuleList(SparseOperator.from_scipy(matrix) for matrix in (joint_operator, *matrices))
        self.upsamplings = nn.ModuleList(
            Upsampling(torch.from_numpy(np.searchsorted(coarse, fine // 2)), len(coarse))
            for coarse, fine in itertools.pairwise(kept)
        )
        self.register_buffer("coarse_rows", torch.from_numpy(kept[0]), persistent=False)
        self.register_buffer("inverse", torch.from_numpy(np.searchsorted(kept[-1], inverse)), persistent=False)
        self.resizings = nn.ModuleList(_Resizing(block[0], block[-1]) for block in plan[1:-1])
        self.fc = nn.Linear(joints * plan[0][-1], self.coarse_nodes * plan[1][0])
        widths = [pair for block in plan for pair in itertools.pairwise(block)]
        self.cl = nn.ModuleList(_chebyshev_linear(fan_in * order, fan_out) for fan_in, fan_out in widths)
        self.bn = nn.ModuleList(nn.BatchNorm1d(fan_out) for _, fan_out in widths[:-1])

    @classmethod
    def from_hierarchy(
        cls,
        hierarchy: "Hierarchy",
        plan: ChannelPlan = BODY_PLAN,
        *,
        scaling: "Scaling" = "release",
        keeps_fake_rows: bool = False,
    ) -> "MeshNet":
        """The network on the finest levels of a `hem` hierarchy, as many as the plan has blocks for.

        The joint graph stays unscaled and `scaling` defaults to "release", as in the published weights.
        Raises InputError when the hierarchy has no joint graph or too few levels.
        """
        if hierarchy.joint_laplacian is None:
            raise InputError("the hierarchy has no joint graph; build it with a joint set")
        count = len(plan) - 2
        if hierarchy.num_levels < count:
            raise InputError(
                f"the hierarchy has {hierarchy.num_levels} levels, the network needs {count}; build it with "
                f"`pose2mesh build-graphs --pooling hem --levels {count + 1}`"
            )
        levels = [hierarchy.scaled_laplacian(level, scaling) for level in reversed(range(count))]
        return cls(hierarchy.joint_laplacian, levels, hierarchy.inverse, plan, keeps_fake_rows=keeps_fake_rows)

    def forward(self, joints: Tensor) -> Tensor:
        """Shapes: joints [B, J, 5], normalized x, y and then x, y, z in metres; returns [B, V, 3] m."""
        if any(norm.training for norm in self.bn):  # they take statistics of the whole batch
            return self._forward(joints)
        return in_micro_batches(self, self._forward, joints, rows=len(self.inverse))

    def _forward(self, joints: Tensor) -> Tensor:
        x = self._block(0, joints)  # [B, J, C]
        x = self.fc(x.flatten(1)).unflatten(1, (self.coarse_nodes, -1))  # [B, N, C]
        x = x.index_select(1, self.coarse_rows)
        last = len(self.plan) - 1
        for block in range(1, last):  # the last two blocks share the finest level
            upsampling = cast(Upsampling, self.upsamplings[block - 2]) if block > 1 else None
            residual = self.resizings[block - 1](x)
            if residual is x and len(self.plan[block]) - 1 > LIFETIME:  # layers in inference take turns in memory
                residual = x.clone()
            x = self._block(block, x, residual, upsampling)
        return self._block(last, x)[:, self.inverse]

    def _block(
        self, block: int, x: Tensor, residual: Tensor | None = None, upsampling: Upsampling | None = None
    ) -> Tensor:
        """All convolutions of a block on its graph, then the residual: [B, N, C] to [B, N, C'].

        With `upsampling` x and the residual come from the next coarser graph.
        """
        operator = cast(SparseOperator, self.operators[min(block, len(self.operators) - 1)])
        first = sum(len(widths) - 1 for widths in self.plan[:block])
        last = first + len(self.plan[block]) - 2
        for layer in range(first, last):
            x = self._convolve(layer, x, operator, upsampling=upsampling)
        return self._convolve(last, x, operator, upsampling, residual)

    def _convolve(
        self,
        layer: int,
        x: Tensor,
        operator: SparseOperator,
        upsampling: Upsampling | None = None,
        residual: Tensor | None = None,
    ) -> Tensor:
        """Convolution, batch norm, ReLU, residual; the network's last layer is a convolution alone."""
        linear = cast(nn.Linear, self.cl[layer])
        if layer == len(self.bn):
            with torch.autocast(x.device.type, enabled=False):  # bfloat16 would round vertices to 4 mm
                return chebyshev_conv(x.to(linear.weight.dtype), operator, linear.weight, linear.bias)
        norm = cast(nn.BatchNorm1d, self.bn[layer])
        if norm.training:
            y = chebyshev_conv(x, operator, linear.weight, linear.bias, upsampling=upsampling)  # [B, N, C]
            if residual is not None and upsampling is not None:
                residual = upsampling(residual)
            return batch_norm_relu(y, norm, residual)
        scale, shift = _scale_and_shift(linear, norm)
        return chebyshev_conv(
            x, operator, linear.weight, shift, activation="relu", residual=residual, scale=scale, upsampling=upsampling
        )


def _check(plan: ChannelPlan, sizes: list[int]) -> None:
    """Raise InputError unless there is a level for each block and each level doubles the one before it."""
    if len(sizes) != len(plan) - 2:
        raise InputError(f"a plan of {len(plan)} blocks needs {len(plan) - 2} levels, got {len(sizes)}: {sizes}")
    if any(fine != 2 * coarse for coarse, fine in itertools.pairwise(sizes)):
        raise InputError(f"levels must double from coarse to fine, got {sizes}; use a `hem` hierarchy")


def _chebyshev_linear(fan_in: int, fan_out: int) -> nn.Linear:
    """The weights of one convolution; fan_in counts every Chebyshev degree."""
    linear = nn.Linear(fan_in, fan_out)
    bound = (2 / (fan_in + fan_out)) ** 0.5
    nn.init.uniform_(linear.weight, -bound, bound)
    nn.init.zeros_(linear.bias)
    return linear


_CONVERTED = Kept(Tensor.to)


class _Resizing(nn.Module):
    """Linear interpolation along the channels, for residuals of another width: [B, N, C] to [B, N, C'].

    A product with what interpolation makes of the unit vectors; torch's own takes five times as long.
    """

    matrix: Tensor | None  # [C, C'] float64, none where the width stays

    def __init__(self, width_in: int, width_out: int):
        super().__init__()
        unit = torch.eye(width_in, dtype=torch.float64)[None]  # [1, C, C]
        matrix = None if width_in == width_out else functional.interpolate(unit, size=width_out, mode="linear")[0]
        self.register_buffer("matrix", matrix, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.matrix is None:
            return x
        with torch.autocast(x.device.type, enabled=False):
            return x @ _CONVERTED.get(self.matrix, dtype=x.dtype)


def _fold(
    bias: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """What a linear layer's bias and a batch norm with fixed statistics come to, behind the weights: two of [C_out]."""
    scale = gamma * torch.rsqrt(variance + eps)
    return scale, (bias - mean) * scale + beta


_FOLDED = Kept(_fold)


def _scale_and_shift(linear: nn.Linear, norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """The folded norm; without gradients it is made once."""
    tensors = (linear.bias, norm.weight, norm.bias, cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var))
    return _fold(*tensors, norm.eps) if torch.is_grad_enabled() else _FOLDED.get(*tensors, eps=norm.eps)


def rows_to_keep(level_operators: "Sequence[csr_matrix]", inverse: np.ndarray) -> list[np.ndarray]:
    """Per level, coarse to fine, the rows [N_i'] that the output depends on, in their order.

    A fake node has no neighbors and no vertex, so nothing that it holds is ever seen. What has neighbors is kept, with
    all its ancestors, whatever it is.

    Shapes: level_operators [N_i, N_i], coarse to fine, N_i = 2 N_{i-1}; inverse [V] row of each vertex in the finest.
    """
    needed = np.zeros(level_operators[-1].shape[0], bool)  # pyright: ignore[reportOptionalSubscript]
    needed[inverse] = True
    kept = []
    for operator in reversed(level_operators):
        edges = operator.tocoo()
        is_edge = (edges.row != edges.col) & (edges.data != 0)
        needed[edges.row[is_edge]] = True  # pyright: ignore[reportIndexIssue]
        kept.insert(0, np.flatnonzero(needed))
        needed = needed.reshape(-1, 2).any(1) if len(kept) < len(level_operators) else needed
    return kept
