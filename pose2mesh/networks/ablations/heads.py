"""The seed's ablations of the mesh head: no graph, and body parameters instead of vertices.

(The third, direct instead of coarse to fine, is `CoarseToFine` with a single level.)
"""

import torch
from torch import Tensor, nn

from pose2mesh.body_models import AnnyBody, HandBody
from pose2mesh.body_models.reduced import ReducedBody
from pose2mesh.geometry.rotation import rot6d_to_rotmat
from pose2mesh.skeletons import joint_set


class FullyConnectedHead(nn.Module):
    """Vertices straight from the features by a two-layer perceptron."""

    def __init__(self, features: int, nodes: int, hidden: int):
        super().__init__()
        self.nodes = nodes
        self.hidden = nn.Linear(features, hidden)
        self.vertices = nn.Linear(hidden, 3 * nodes)

    def forward(self, features: Tensor) -> list[Tensor]:
        hidden = torch.relu(self.hidden(features)).float()
        with torch.autocast(features.device.type, enabled=False):
            return [self.vertices(hidden).unflatten(1, (self.nodes, 3))]


class ParameterHead(nn.Module):
    """Bone rotations (6D) and shape, turned to vertices by the body model."""

    def __init__(self, features: int, body: AnnyBody | HandBody, vertex_ids):
        super().__init__()
        self.body = body  # moves along to the device; its buffers are no part of the weights
        outputs = joint_set(body.kind.output_set)
        self.reduced = ReducedBody(body, vertex_ids, outputs.name)
        self.root, self.bones = outputs.index(outputs.root or ""), len(body.captured)
        self.rotations = nn.Linear(features, 6 * self.bones)
        self.betas = nn.Linear(features, body.num_shape)
        nn.init.normal_(self.rotations.weight, std=0.01)
        with torch.no_grad():  # start upright in the camera frame: x right, y down, z forward
            self.rotations.bias.copy_(torch.tensor([1.0, 0, 0, 0, -1, 0]).repeat(self.bones))

    def forward(self, features: Tensor) -> list[Tensor]:
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            world = rot6d_to_rotmat(self.rotations(features).unflatten(1, (self.bones, 6)))  # [B, K, 3, 3]
            groups = self.body.expand_groups(world)
            betas = self.betas(features)
            root = self.reduced.joints(betas, groups)[:, self.root, None]
            return [self.reduced.skin(betas, groups) - root]
