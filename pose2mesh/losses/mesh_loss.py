"""The weighted sum of all terms, as Pose2Mesh trains with it."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pose2mesh.losses.coordinates import joint_loss, lifting_loss, vertex_loss
from pose2mesh.losses.surface import edge_loss, normal_loss


@dataclass(frozen=True)
class MeshLossWeights:
    """Weight of each term; all lengths are in metres.

    The original states joints in millimetres with a weight of 1e-3 per mm, which is 1 per metre.
    """

    vertex: float = 1.0  # per metre
    joint: float = 1.0  # per metre
    normal: float = 0.1  # the term has no unit
    edge: float = 20.0  # per metre
    lift: float = 1.0  # per metre


class MeshTarget(NamedTuple):
    """What the prediction is compared with. A mask of None means that all samples are valid."""

    vertices: Tensor  # [B, V, 3] m
    joints: Tensor  # [B, J, 3] m, of the regressor that the predicted mesh goes through
    lifted: Tensor  # [B, J', 3] m, in the joint set of PoseNet
    vertices_valid: Tensor | None = None  # [B]
    joints_valid: Tensor | None = None  # [B] or [B, J]
    lifted_valid: Tensor | None = None  # [B] or [B, J']


class MeshLoss(nn.Module):
    """Vertex, joint, normal, edge and lifting loss.

    The edge term starts with epoch `edge_start_epoch` (counted from 0), when the mesh is roughly in place;
    the paper trains the body without it for 7 epochs and the hand for 15.
    """

    faces: Tensor  # [F, 3] int64

    def __init__(self, faces: Tensor, weights: MeshLossWeights | None = None, *, edge_start_epoch: int = 7):
        super().__init__()
        self.register_buffer("faces", faces.long(), persistent=False)
        self.weights = weights or MeshLossWeights()
        self.edge_start_epoch = edge_start_epoch

    def forward(
        self, vertices: Tensor, joints: Tensor, lifted: Tensor, target: MeshTarget, *, epoch: int
    ) -> dict[str, Tensor]:
        """The unweighted terms that are switched on, and "total", their weighted sum.

        Shapes: vertices [B, V, 3], joints [B, J, 3] regressed from them, lifted [B, J', 3], all in metres.
        """
        weights = self.weights
        terms = {
            "vertex": vertex_loss(vertices, target.vertices, target.vertices_valid),
            "joint": joint_loss(joints, target.joints, target.joints_valid),
            "lift": lifting_loss(lifted, target.lifted, target.lifted_valid),
        }
        if weights.normal:
            terms["normal"] = normal_loss(vertices, target.vertices, self.faces, target.vertices_valid)
        if weights.edge and epoch >= self.edge_start_epoch:
            terms["edge"] = edge_loss(vertices, target.vertices, self.faces, target.vertices_valid)
        weighted = [getattr(weights, name) * term for name, term in terms.items()]
        return {**terms, "total": torch.stack(weighted).sum()}
