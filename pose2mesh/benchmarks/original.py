"""The arithmetic of the original MeshNet, done the original way: the baseline of every speed-up.

Restated from what the published network computes, on the same weights as ours: the Laplacian as a COO tensor times
[V, C·B], the samples brought to the end and back for it; the Chebyshev terms stacked by concatenation; one linear
layer, batch norm and ReLU apart; children copied from their parents by nearest-neighbor upsampling; residuals
resized along the channels; fake nodes carried along to the end.
"""

import copy
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from pose2mesh.networks.meshnet import MeshNet
from pose2mesh.networks.pose2mesh import ClassicPose2Mesh, normalize_per_axis
from pose2mesh.networks.prediction import MeshPrediction
from pose2mesh.ops import SparseOperator

_MM_PER_M = 1000


class CooConvolution(nn.Module):
    """Chebyshev convolution on a COO tensor, with copies between the layouts."""

    def __init__(self, operator: SparseOperator, linear: nn.Linear):
        super().__init__()
        self.linear = linear
        rows = torch.repeat_interleave(operator.crow.diff().long())  # [nnz]
        index = torch.stack([rows, operator.col.long()])
        laplacian = torch.sparse_coo_tensor(index, operator.values, operator.shape, check_invariants=False).coalesce()
        self.register_buffer("laplacian", laplacian, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, V, C] to [B, V, C']."""
        batch, nodes, channels = x.shape
        order = self.linear.in_features // channels
        laplacian = cast(Tensor, self.laplacian)
        x0 = x.permute(1, 2, 0).contiguous().view(nodes, channels * batch)  # [V, C·B]
        terms = x0.unsqueeze(0)  # [K so far, V, C·B]
        if order > 1:
            x1 = torch.sparse.mm(laplacian, x0)
            terms = torch.cat((terms, x1.unsqueeze(0)), 0)
        for _ in range(2, order):
            x2 = 2 * torch.sparse.mm(laplacian, x1) - x0
            terms = torch.cat((terms, x2.unsqueeze(0)), 0)
            x0, x1 = x1, x2
        terms = terms.view(order, nodes, channels, batch).permute(3, 1, 2, 0).contiguous()  # [B, V, C, K]
        return self.linear(terms.view(batch * nodes, channels * order)).view(batch, nodes, -1)


class PygConvolution(nn.Module):
    """The same by PyTorch Geometric's ChebConv, which is given the finished operator as its edge weights."""

    def __init__(self, operator: SparseOperator, linear: nn.Linear):
        from torch_geometric.nn import ChebConv

        class FixedChebConv(ChebConv):
            """Without computing the Laplacian anew in every pass."""

            def __norm__(self, edge_index, num_nodes, edge_weight, *rest, **options):
                return edge_index, edge_weight

        super().__init__()
        rows = torch.repeat_interleave(operator.crow.diff().long())  # [nnz]
        self.register_buffer("edges", torch.stack([operator.col.long(), rows]), persistent=False)
        self.register_buffer("values", operator.values, persistent=False)
        order = _order_of(linear)
        self.conv = FixedChebConv(linear.in_features // order, linear.out_features, K=order)
        with torch.no_grad():
            weights = linear.weight.unflatten(1, (-1, order))  # [C', C, K]
            for k, layer in enumerate(self.conv.lins):
                cast(nn.Linear, layer).weight.copy_(weights[..., k])
            cast(Tensor, self.conv.bias).copy_(linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B, V, C] to [B, V, C']."""
        return self.conv(x, self.edges, self.values)


class OriginalPose2Mesh(nn.Module):
    """ClassicPose2Mesh with the weights of `network` and convolutions of a given kind."""

    meshnet: tuple[MeshNet]  # in a tuple: its operators are not modules of this network
    fc: nn.Linear
    bn: nn.ModuleList

    def __init__(self, network: ClassicPose2Mesh, convolution: type[nn.Module] = CooConvolution):
        super().__init__()
        self.pose_lifter = copy.deepcopy(network.pose_lifter)  # where torch puts it: ours may lie in huge pages
        meshnet = cast(MeshNet, network.pose2mesh)
        self.meshnet = (meshnet,)
        self.fc, self.bn = copy.deepcopy(meshnet.fc), meshnet.bn
        self.convolutions = nn.ModuleList(
            convolution(meshnet.operators[min(block, len(meshnet.operators) - 1)], meshnet.cl[layer])
            for layer, block in enumerate(block for block, widths in enumerate(meshnet.plan) for _ in widths[1:])
        )

    def forward(self, keypoints: Tensor) -> MeshPrediction:
        """keypoints [B, J, 2 or 3] to joints and vertices in metres."""
        pose = normalize_per_axis(keypoints[..., :2])  # [B, J, 2]
        joints = self.pose_lifter(pose) / _MM_PER_M  # [B, J, 3]
        return MeshPrediction(self._mesh(torch.cat((pose, joints.detach()), 2)), joints)

    def _mesh(self, x: Tensor) -> Tensor:
        (meshnet,) = self.meshnet
        plan = meshnet.plan
        layers = iter(range(len(self.convolutions)))
        for block, widths in enumerate(plan):
            start = x
            for _ in widths[1:]:
                x = self._layer(next(layers), x)
            if block == 0:
                x = self.fc(x.reshape(x.shape[0], -1)).view(x.shape[0], meshnet.coarse_nodes, -1)
            elif block < len(plan) - 1:
                x = x + functional.interpolate(start, size=widths[-1], mode="linear")
                if block < len(plan) - 2:
                    x = functional.interpolate(x.permute(0, 2, 1).contiguous(), scale_factor=2)  # [B, C, 2V]
                    x = x.permute(0, 2, 1).contiguous()
        return x[:, meshnet.inverse]

    def _layer(self, layer: int, x: Tensor) -> Tensor:
        x = self.convolutions[layer](x)
        if layer == len(self.bn):
            return x
        return functional.relu(self.bn[layer](x.reshape(-1, x.shape[2])).view_as(x))


def _order_of(linear: nn.Linear) -> int:
    """The published networks use K = 3 throughout."""
    assert linear.in_features % 3 == 0
    return 3
