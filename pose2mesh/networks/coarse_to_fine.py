"""The compact MeshNet: graph layers, by default Chebyshev, that refine a mesh level by level (Pose2Mesh, slimmed).

The coarsest mesh is a linear map of the lifter's features. At every level graph layers move the vertices, then a fixed
sparse matrix carries vertices and features to the next finer level. The finest level with graph layers has some 1,700
nodes; the full mesh follows from it by one more sparse matrix.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from pose2mesh.hierarchy import Hierarchy
from pose2mesh.ops import SparseOperator
from pose2mesh.plugins import find


class GraphBlock(nn.Module):
    """x + conv(relu(conv(x))) on one level."""

    def __init__(self, layer: Callable[..., nn.Module], channels: int):
        super().__init__()
        self.first = layer(channels, channels)
        self.second = layer(channels, channels, scale=0.1)

    def forward(self, x: Tensor, operator: nn.Module) -> Tensor:
        return self.second(self.first(x, operator, activation="relu"), operator, residual=x)


class Level(nn.Module):
    """Graph layers and vertex corrections at one resolution.

    Besides the coarser level's features a level is fed what `inputs` names: the vertices so far, a learned vector for
    every node, the latent vector of the pose.
    """

    def __init__(
        self,
        layer: Callable[..., nn.Module],
        operator: nn.Module,
        nodes: int,
        channels_in: int,
        channels: int,
        blocks: int,
        latent: int,
        inputs: tuple[str, ...],
    ):
        """`layer(channels_in, channels_out, scale=1.0)` makes a graph layer that takes `operator`."""
        super().__init__()
        self.operator = operator
        self.enter = nn.Linear(channels_in, channels)
        self.position = nn.Linear(3, channels, bias=False) if "vertices" in inputs else None
        self.node = nn.Parameter(0.1 * torch.randn(nodes, channels)) if "nodes" in inputs else None
        self.pose = nn.Linear(latent, channels, bias=False) if "pose" in inputs else None
        self.blocks = nn.ModuleList(GraphBlock(layer, channels) for _ in range(blocks))
        self.move = layer(channels, 3, scale=0.01)

    def forward(
        self, x: Tensor, vertices: Tensor, latent: Tensor, carry: SparseOperator | None
    ) -> tuple[Tensor, Tensor]:
        """x [B,N,C_in] and vertices [B,N,3], both of the coarser level if `carry` leads from there; latent [B,C]."""
        x = self.enter(x)  # on the coarse side: fewer rows than after the upsampling
        if carry is not None:
            x, vertices = carry.matmul(x), carry.matmul(vertices)
        if self.position is not None:
            x = x + self.position(vertices)
        if self.node is not None:
            x = x + self.node
        if self.pose is not None:
            x = x + self.pose(latent)[:, None]
        x = torch.relu(x)  # [B, N, C]
        for block in self.blocks:
            x = block(x, self.operator)
        return x, vertices + self.move(torch.relu(x), self.operator)


class CoarseToFine(nn.Module):
    """Features [B,C] to vertices of every level, coarse to fine."""

    def __init__(
        self,
        hierarchy: Hierarchy,
        features: int,
        channels: tuple[int, ...],
        blocks: tuple[int, ...],
        *,
        order: int,
        latent: int,
        inputs: tuple[str, ...] = ("vertices", "nodes"),
        conv: str = "chebyshev",
        first_level: int = 1,
    ):
        """Levels `first_level`.. of the hierarchy carry graph layers; there are as many as `channels`.

        `conv` is a registered convolution, `order` what it takes (`graph_layers`).
        """
        super().__init__()
        used = range(first_level + len(channels) - 1, first_level - 1, -1)  # coarse to fine
        sizes = [hierarchy.sizes[level] for level in used]
        self.nodes, self.seed_channels = sizes[0], channels[0]
        self.base = nn.Linear(features, 3 * sizes[0])
        self.latent = nn.Linear(features, latent)
        self.seed = nn.Linear(latent, sizes[0] * channels[0])
        convolution = find("convolution", conv)
        layer = partial(convolution, order=order)
        self.levels = nn.ModuleList(
            Level(layer, convolution.operator(hierarchy, level, order), n, c_in, c, b, latent, inputs)
            for level, n, c_in, c, b in zip(used, sizes, (channels[0], *channels), channels, blocks, strict=False)
        )
        self.carries = nn.ModuleList(SparseOperator.from_scipy(hierarchy.upsample[level]) for level in used[1:])

    def coarsest(self, features: Tensor) -> Tensor:
        """The linear first guess [B,N,3] m, computed in float32."""
        with torch.autocast(features.device.type, enabled=False):
            return self.base(features.float()).unflatten(1, (self.nodes, 3))

    def forward(self, features: Tensor) -> list[Tensor]:
        """features [B,C] to [first guess, vertices of each level ...], each [B,N,3] m."""
        vertices = self.coarsest(features)
        latent = torch.relu(self.latent(features))  # [B, C]
        x = self.seed(latent).unflatten(1, (self.nodes, self.seed_channels))
        out = [vertices]
        for level, carry in zip(self.levels, [None, *self.carries], strict=True):
            x, vertices = level(x, vertices, latent, carry)
            out.append(vertices)
        return out
