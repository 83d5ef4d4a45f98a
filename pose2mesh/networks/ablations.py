"""The paper's ablations of MeshNet (Choi et al. 2020, table of targets and networks): joints to a mesh in other ways.

Each takes what MeshNet takes, [B, J, C] of the pose beside the lifted joints (C = 5), and returns vertices [B, V, 3].
The paper gives their numbers of parameters and little else; the perceptrons are built like PoseNet, with the widths
that come to those numbers.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from pose2mesh.geometry.rotation import rot6d_to_rotmat
from pose2mesh.networks.body_decoders import BodyDecoder
from pose2mesh.networks.meshnet import ChannelPlan
from pose2mesh.networks.posenet import ResidualStage
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.ops import SparseOperator, chebyshev_conv

# One block on the finest level alone, as deep as the blocks of MeshNet together. Only few channels can enter it: the
# linear layer before it has an output for each of them and each of 12,288 rows.
DIRECT_PLAN: ChannelPlan = ((5, 32, 64, 64), (4, 64, 128, 256, 256, 256, 128, 128, 128, 128), (128, 64, 3))
VERTEX_WIDTH = 1418  # 37.5 million parameters with 17 joints and 6,890 vertices
PARAMETER_WIDTH = 2048  # 17.3 million with 24 rotations and ten shape components
GRAPH_CHANNELS = (5, 64, 128, 256, 256, 256)
GRAPH_WIDTH = 2880  # 13.5 million with 17 joints


class Perceptron(nn.Module):
    """Linear layer, residual stages as in PoseNet, linear layer: [B, J, C] to [B, out]."""

    def __init__(self, joints: int, width: int, out: int, *, channels: int = 5, stages: int = 2, dropout: float = 0.5):
        super().__init__()
        self.enter = nn.Linear(channels * joints, width)
        self.stages = nn.Sequential(*(ResidualStage(width, dropout) for _ in range(stages)))
        self.leave = nn.Linear(width, out)

    def forward(self, joints: Tensor) -> Tensor:
        return self.leave(self.stages(self.enter(joints.flatten(1))))


class JointGraph(nn.Module):
    """Chebyshev layers on the skeleton, then one hidden layer: [B, J, C] to [B, out]."""

    def __init__(self, joint_laplacian, channels: tuple[int, ...], width: int, out: int, *, order: int = 3):
        super().__init__()
        self.operator = SparseOperator.from_scipy(joint_laplacian)
        pairs = list(pairwise(channels))
        self.layers = nn.ModuleList(nn.Linear(order * fan_in, fan_out) for fan_in, fan_out in pairs)
        self.norms = nn.ModuleList(nn.BatchNorm1d(fan_out) for _, fan_out in pairs)
        self.hidden = nn.Linear(joint_laplacian.shape[0] * channels[-1], width)
        self.leave = nn.Linear(width, out)

    def forward(self, joints: Tensor) -> Tensor:
        x = joints  # [B, J, C]
        for layer, norm in zip(self.layers, self.norms, strict=True):
            assert isinstance(layer, nn.Linear)
            x = chebyshev_conv(x, self.operator, layer.weight, layer.bias)
            x = norm(x.flatten(0, 1)).view_as(x).relu()
        return self.leave(torch.relu(self.hidden(x.flatten(1))))


class VertexHead(nn.Module):
    """Vertices straight from an encoder with 3 V outputs."""

    def __init__(self, encoder: nn.Module):
        super().__init__()
        self.encoder = encoder

    def forward(self, joints: Tensor) -> Tensor:
        with torch.autocast(joints.device.type, enabled=False):  # bfloat16 would round vertices to 4 mm
            return self.encoder(joints.float()).unflatten(1, (-1, 3))


class ParameterMeshHead(nn.Module):
    """Rotations (6D, counted from an upright rest pose) and shape from an encoder, the mesh from the body model."""

    def __init__(self, encoder: nn.Module, decoder: BodyDecoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    @staticmethod
    def outputs(decoder: BodyDecoder) -> int:
        """How many numbers the encoder has to give."""
        return decoder.rest6d.numel() + decoder.num_shape

    def forward(self, joints: Tensor) -> Tensor:
        with torch.autocast(joints.device.type, enabled=False):
            found = self.encoder(joints.float())  # [B, 6 R + S]
            rotations = self.decoder.rest6d + found[:, : -self.decoder.num_shape].unflatten(1, (-1, 6))
            parameters = BodyParameters(rot6d_to_rotmat(rotations), found[:, -self.decoder.num_shape :])
            return self.decoder(parameters).vertices
