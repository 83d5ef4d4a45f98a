"""The seed's ablations of the mesh head: no graph, and body parameters instead of vertices.

(The third, direct instead of coarse to fine, is `CoarseToFine` with a single level.)
"""

import torch
from torch import Tensor, nn

from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.body_models.reduced import ReducedBody
from pose2mesh.geometry.rotation import rot6d_to_rotmat
from pose2mesh.skeletons import MOTION_BONES

_PELVIS = 17  # of COCO-19


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

    def __init__(self, features: int, body: AnnyBody, vertex_ids):
        super().__init__()
        self.body = body  # moves along to the device; its buffers are no part of the weights
        self.reduced = ReducedBody(body, vertex_ids, "coco19")
        self.rotations = nn.Linear(features, 6 * len(MOTION_BONES))
        self.betas = nn.Linear(features, body.num_shape)
        nn.init.normal_(self.rotations.weight, std=0.01)
        with torch.no_grad():  # start upright in the camera frame: x right, y down, z forward
            self.rotations.bias.copy_(torch.tensor([1.0, 0, 0, 0, -1, 0]).repeat(len(MOTION_BONES)))

    def forward(self, features: Tensor) -> list[Tensor]:
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            world = rot6d_to_rotmat(self.rotations(features).unflatten(1, (len(MOTION_BONES), 6)))  # [B, 19, 3, 3]
            groups = self.body.expand_groups(world)
            betas = self.betas(features)
            pelvis = self.reduced.joints(betas, groups)[:, _PELVIS, None]
            return [self.reduced.skin(betas, groups) - pelvis]
