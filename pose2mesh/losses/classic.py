"""The paper's loss of the classic network, on synthetic bodies and on annotated people."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh.losses.coordinates import lifting_loss
from pose2mesh.losses.mesh_loss import MeshLoss, MeshLossWeights, MeshTarget
from pose2mesh.losses.targets import AnnotatedBatch, Batch
from pose2mesh.losses.terms import Compared, weigh
from pose2mesh.losses.weights import LossConfig


class ClassicObjective(nn.Module):
    """The paper's loss (Choi et al. 2020): L1 on lifted joints, vertices and their joints, normals, edges."""

    joint_regressor: Tensor  # [J, V]

    def __init__(
        self,
        network: Any,
        weights: LossConfig,
        faces: np.ndarray,
        joint_regressor: np.ndarray | None = None,
        lifting_only: bool = False,
    ):
        """`network` gives vertices and joints, and has `lift` if that is trained alone; `joint_regressor` [J, V] of the
        joints that meshes are compared in, the network's own by default.
        """
        super().__init__()
        self.network, self.weights, self.lifting_only = network, weights, lifting_only
        regressor = network.joint_regressor if joint_regressor is None else torch.as_tensor(joint_regressor)
        self.register_buffer("joint_regressor", regressor.float(), persistent=False)
        terms = MeshLossWeights(weights.vertex, weights.mesh_joint, weights.normal, weights.edge, lift=weights.joint)
        self.mesh_loss = MeshLoss(torch.as_tensor(faces), terms, edge_start_epoch=1)

    def forward(self, batch: Batch | AnnotatedBatch) -> tuple[Tensor, dict[str, Tensor]]:
        keypoints, valid = batch.keypoints, (batch.vertices_valid, batch.joints_valid, batch.lifted_valid)
        target = MeshTarget(batch.vertices, batch.joints, batch.lifted, *valid)
        if self.lifting_only:
            loss = lifting_loss(self.network.lift(keypoints), target.lifted, target.lifted_valid)
            return self.weights.joint * loss, {"lift": loss.detach()}
        predicted = self.network(keypoints)
        joints = self.joint_regressor @ predicted.vertices
        parts = self.mesh_loss(predicted.vertices, joints, predicted.joints, target, epoch=int(batch.has_edges))
        total = parts.pop("total")
        if self.weights.added:
            more, added = weigh(*_of_valid(predicted, target, self.mesh_loss.faces), self.weights.added)
            total, parts = total + more, parts | added
        return total, {name: value.detach() for name, value in parts.items()}


def _of_valid(predicted: Any, target: MeshTarget, faces: Tensor) -> tuple[Compared, Compared]:
    """Those people of a batch whose mesh and lifted joints are known."""
    known = torch.ones(len(target.vertices), dtype=torch.bool, device=target.vertices.device)
    for valid in (target.vertices_valid, target.lifted_valid):
        known = known if valid is None else known & valid
    pair = (predicted.joints, predicted.vertices), (target.lifted, target.vertices)
    return tuple(Compared(joints[known], vertices[known], faces=faces) for joints, vertices in pair)  # pyright: ignore
