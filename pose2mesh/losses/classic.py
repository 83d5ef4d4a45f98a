"""The paper's loss of the classic network, on synthetic bodies and on annotated people."""

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh.losses.coordinates import lifting_loss
from pose2mesh.losses.mesh_loss import MeshLoss, MeshLossWeights, MeshTarget
from pose2mesh.losses.targets import AnnotatedBatch, Batch
from pose2mesh.losses.weights import LossConfig
from pose2mesh.networks.classic_body import ClassicBody


class ClassicObjective(nn.Module):
    """The paper's loss (Choi et al. 2020): L1 on lifted joints, vertices and their joints, normals, edges."""

    joint_regressor: Tensor  # [J, V]

    def __init__(
        self,
        network: ClassicBody,
        weights: LossConfig,
        faces: np.ndarray,
        joint_regressor: np.ndarray | None = None,
        lifting_only: bool = False,
    ):
        """`joint_regressor` [J, V] of the joints that meshes are compared in; the network's own set by default."""
        super().__init__()
        self.network, self.weights, self.lifting_only = network, weights, lifting_only
        regressor = network.joint_regressor if joint_regressor is None else torch.as_tensor(joint_regressor)
        self.register_buffer("joint_regressor", regressor.float(), persistent=False)
        terms = MeshLossWeights(weights.vertex, weights.mesh_joint, weights.normal, weights.edge, lift=weights.joint)
        self.mesh_loss = MeshLoss(torch.as_tensor(faces), terms, edge_start_epoch=1)

    def forward(self, batch: Batch | AnnotatedBatch) -> tuple[Tensor, dict[str, Tensor]]:
        keypoints, target, has_edges = self._unpack(batch)
        if self.lifting_only:
            loss = lifting_loss(self.network.lift(keypoints), target.lifted, target.lifted_valid)
            return self.weights.joint * loss, {"lift": loss.detach()}
        predicted = self.network(keypoints)
        joints = self.joint_regressor @ predicted.vertices
        parts = self.mesh_loss(predicted.vertices, joints, predicted.joints, target, epoch=int(has_edges))
        return parts.pop("total"), {name: value.detach() for name, value in parts.items()}

    def _unpack(self, batch: Batch | AnnotatedBatch) -> tuple[Tensor, MeshTarget, bool]:
        """Keypoints in the network's set, what they should give, and whether edges count yet."""
        if isinstance(batch, AnnotatedBatch):
            valid = batch.vertices_valid, batch.joints_valid, batch.lifted_valid
            return (
                batch.keypoints,
                MeshTarget(batch.vertices, batch.joints, batch.lifted, *valid),
                bool(batch.has_edges),
            )
        return batch.keypoints, MeshTarget(batch.vertices, batch.joints, batch.joints), True
