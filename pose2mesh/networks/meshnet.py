"""The classic MeshNet: joints to vertices by Chebyshev graph convolution, coarse to fine (Choi et al. 2020).

Module names follow the published checkpoints, so that their keys load as they are.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pose2mesh.errors import InputError
from pose2mesh.ops import SparseOperator, chebyshev_conv

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from pose2mesh.hierarchy import Hierarchy
    from pose2mesh.hierarchy.laplacian import Scaling

ChannelPlan = tuple[tuple[int, ...], ...]

# Widths through each block: the joint graph, one block per level from coarse to fine, one more on the finest.
_WIDE = (256, 256, 256)
_NARROW = (128, 128, 128)
BODY_PLAN: ChannelPlan = (
    (5, 32, 64, 64),
    (64, 128, 256),
    *[_WIDE] * 4,
    (256, 128, 128),
    *[_NARROW] * 2,
    (128, 64, 3),
)
HAND_PLAN: ChannelPlan = ((5, 32, 64, 64), (64, 128, 256), *[_WIDE] * 3, (256, 128, 128), (128, 64, 3))


class MeshNet(nn.Module):
    """2D and 3D joints to the vertices of a mesh, in metres.

    The graphs are constants and not part of the state, as the published checkpoints do not hold them.
    """

    inverse: Tensor  # [V] row of the finest level that holds each vertex; fake rows are in none

    def __init__(
        self,
        joint_operator: csr_matrix,
        level_operators: Sequence[csr_matrix],
        inverse: np.ndarray,
        plan: ChannelPlan = BODY_PLAN,
        *,
        order: int = 3,
    ):
        """`level_operators`: scaled Laplacians, coarse to fine, each with twice the nodes of the last.

        Shapes: joint_operator [J, J]; level_operators [N_i, N_i]; inverse [V] into the finest level.
        Raises InputError when plan and levels do not belong together.
        """
        super().__init__()
        operators = [SparseOperator.from_scipy(matrix) for matrix in (joint_operator, *level_operators)]
        joints, *sizes = (operator.shape[0] for operator in operators)
        _check(plan, sizes)
        self.plan = plan
        self.coarse_nodes = sizes[0]
        self.operators = nn.ModuleList(operators)
        self.register_buffer("inverse", torch.as_tensor(np.asarray(inverse, np.int64)), persistent=False)
        self.fc = nn.Linear(joints * plan[0][-1], self.coarse_nodes * plan[1][0])
        widths = [pair for block in plan for pair in itertools.pairwise(block)]
        self.cl = nn.ModuleList(_chebyshev_linear(fan_in * order, fan_out) for fan_in, fan_out in widths)
        self.bn = nn.ModuleList(nn.BatchNorm1d(fan_out) for _, fan_out in widths[:-1])

    @classmethod
    def from_hierarchy(
        cls, hierarchy: Hierarchy, plan: ChannelPlan = BODY_PLAN, *, scaling: Scaling = "release"
    ) -> MeshNet:
        """The network on the finest levels of a `hem` hierarchy, as many as the plan has blocks for.

        The joint graph stays unscaled and `scaling` defaults to "release", as in the published weights.
        Raises InputError when the hierarchy has no joint graph or too few levels.
        """
        if hierarchy.joint_laplacian is None:
            raise InputError("the hierarchy has no joint graph; build it with a joint set")
        count = len(plan) - 2
        if hierarchy.num_levels < count:
            raise InputError(f"the hierarchy has {hierarchy.num_levels} levels, the network needs {count}")
        levels = [hierarchy.scaled_laplacian(level, scaling) for level in reversed(range(count))]
        return cls(hierarchy.joint_laplacian, levels, hierarchy.inverse, plan)

    def forward(self, joints: Tensor) -> Tensor:
        """Shapes: joints [B, J, 5], normalized x, y and then x, y, z in metres; returns [B, V, 3] m."""
        x = self._block(0, joints)  # [B, J, C]
        x = self.fc(x.flatten(1)).unflatten(1, (self.coarse_nodes, -1))  # [B, N, C]
        last = len(self.plan) - 1
        for block in range(1, last):
            x = self._block(block, x, residual=_resize_channels(x, self.plan[block][-1]))
            if block < last - 1:  # the last two blocks share the finest level
                x = x.repeat_interleave(2, dim=1)  # both children of a node take its value: [B, 2N, C]
        return self._block(last, x)[:, self.inverse]

    def _block(self, block: int, x: Tensor, residual: Tensor | None = None) -> Tensor:
        """All convolutions of a block on its graph, then the residual: [B, N, C] to [B, N, C']."""
        operator = cast(SparseOperator, self.operators[min(block, len(self.operators) - 1)])
        first = sum(len(widths) - 1 for widths in self.plan[:block])
        last = first + len(self.plan[block]) - 2
        for layer in range(first, last):
            x = self._convolve(layer, x, operator)
        return self._convolve(last, x, operator, residual)

    def _convolve(self, layer: int, x: Tensor, operator: SparseOperator, residual: Tensor | None = None) -> Tensor:
        """Convolution, batch norm, ReLU, residual; the network's last layer is a convolution alone."""
        linear = cast(nn.Linear, self.cl[layer])
        if layer == len(self.bn):
            with torch.autocast(x.device.type, enabled=False):  # bfloat16 would round vertices to 4 mm
                return chebyshev_conv(x.to(linear.weight.dtype), operator, linear.weight, linear.bias)
        norm = cast(nn.BatchNorm1d, self.bn[layer])
        if not norm.training:
            return chebyshev_conv(x, operator, *_fold(linear, norm), activation="relu", residual=residual)
        y = chebyshev_conv(x, operator, linear.weight, linear.bias)  # [B, N, C]
        y = norm(y.flatten(0, 1)).view_as(y).relu()  # statistics over B·N rows, fake nodes included
        return y if residual is None else y + residual


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


def _resize_channels(x: Tensor, width: int) -> Tensor:
    """Linear interpolation along the channels, for residuals of another width: [B, N, C] to [B, N, width]."""
    return x if x.shape[2] == width else functional.interpolate(x, size=width, mode="linear")


def _fold(linear: nn.Linear, norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Weight and bias of a linear layer followed by a batch norm with fixed statistics."""
    mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)  # [C_out]
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    return linear.weight * scale[:, None], (linear.bias - mean) * scale + norm.bias
