"""The compact MeshNet: Chebyshev graph layers that refine a mesh level by level (Pose2Mesh, section 4, slimmed).

The coarsest mesh is a linear map of the lifter's features. At every level graph layers move the vertices, then a fixed
sparse matrix carries vertices and features to the next finer level. The finest level with graph layers has some 1,700
nodes; the full mesh follows from it by one more sparse matrix.
"""

import torch
from torch import Tensor, nn

from pose2mesh.hierarchy import Hierarchy
from pose2mesh.ops import SparseOperator, chebyshev_conv


class ChebyshevLayer(nn.Module):
    """One graph layer: sum_k T_k(L) x W_k + b (Defferrard et al. 2016)."""

    def __init__(self, channels_in: int, channels_out: int, order: int, scale: float = 1.0):
        super().__init__()
        bound = scale * (6.0 / (channels_in * order + channels_out)) ** 0.5  # Glorot
        self.weight = nn.Parameter(torch.empty(channels_out, channels_in * order).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(channels_out))

    def forward(self, x: Tensor, operator: SparseOperator, **epilogue) -> Tensor:
        return chebyshev_conv(x, operator, self.weight, self.bias, **epilogue)


class GraphBlock(nn.Module):
    """x + conv(relu(conv(x))) on one level."""

    def __init__(self, channels: int, order: int):
        super().__init__()
        self.first = ChebyshevLayer(channels, channels, order)
        self.second = ChebyshevLayer(channels, channels, order, scale=0.1)

    def forward(self, x: Tensor, operator: SparseOperator) -> Tensor:
        return self.second(self.first(x, operator, activation="relu"), operator, residual=x)


class Level(nn.Module):
    """Graph layers and vertex corrections at one resolution."""

    def __init__(self, laplacian, nodes: int, channels_in: int, channels: int, blocks: int, order: int):
        super().__init__()
        self.operator = SparseOperator.from_scipy(laplacian)
        self.enter = nn.Linear(channels_in, channels)
        self.position = nn.Linear(3, channels, bias=False)
        self.node = nn.Parameter(0.1 * torch.randn(nodes, channels))  # what is particular to each node
        self.blocks = nn.ModuleList(GraphBlock(channels, order) for _ in range(blocks))
        self.move = ChebyshevLayer(channels, 3, order, scale=0.01)

    def forward(self, x: Tensor, vertices: Tensor, carry: SparseOperator | None) -> tuple[Tensor, Tensor]:
        """x [B,N,C_in] and vertices [B,N,3], both of the coarser level if `carry` leads from there."""
        x = self.enter(x)  # on the coarse side: fewer rows than after the upsampling
        if carry is not None:
            x, vertices = carry.matmul(x), carry.matmul(vertices)
        x = torch.relu(x + self.position(vertices) + self.node)  # [B, N, C]
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
        first_level: int = 1,
    ):
        """Levels `first_level`.. of the hierarchy carry graph layers; there are as many as `channels`."""
        super().__init__()
        used = range(first_level + len(channels) - 1, first_level - 1, -1)  # coarse to fine
        sizes = [hierarchy.sizes[level] for level in used]
        self.nodes, self.seed_channels = sizes[0], channels[0]
        self.base = nn.Linear(features, 3 * sizes[0])
        self.latent = nn.Linear(features, latent)
        self.seed = nn.Linear(latent, sizes[0] * channels[0])
        self.levels = nn.ModuleList(
            Level(hierarchy.scaled_laplacian(level, "chebyshev"), n, c_in, c, b, order)
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
        x = self.seed(torch.relu(self.latent(features))).unflatten(1, (self.nodes, self.seed_channels))
        out = [vertices]
        for level, carry in zip(self.levels, [None, *self.carries], strict=True):
            x, vertices = level(x, vertices, carry)
            out.append(vertices)
        return out
