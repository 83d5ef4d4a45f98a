"""The training losses, each one module with its network, so that DDP wraps both together."""

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh.datasets.synthetic import Batch
from pose2mesh.losses import MeshLoss, MeshLossWeights, MeshTarget, edge_loss, lifting_loss, normal_loss
from pose2mesh.networks.classic_body import ClassicBody
from pose2mesh.networks.coarse_to_fine import CoarseToFine
from pose2mesh.networks.compact import CompactPose2Mesh
from pose2mesh.skeletons import convert
from pose2mesh.training.config import LossConfig, StageConfig


def distance_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean distance between points [...,3]; smooth at zero (1 micrometre)."""
    return (predicted.float() - target).square().sum(-1).add(1e-12).sqrt().mean()


class Objective(nn.Module):
    """network(keypoints) against a Batch; returns (total, the parts by name), lengths in metres."""

    def __init__(self, network: CompactPose2Mesh, stage: StageConfig, level_rows: list[np.ndarray], faces: np.ndarray):
        """`level_rows`: for each vertex set of the mesh head, its rows in Batch.vertices; `faces` of the finest."""
        super().__init__()
        self.network, self.stage = network, stage
        self.rows = [torch.as_tensor(rows, dtype=torch.long) for rows in level_rows]
        self.faces = torch.as_tensor(faces, dtype=torch.long)

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        lifted = self.network.lifter(keypoints_in(batch.keypoints, self.network.joint_set))
        parts = {"joint": distance_loss(lifted.joints, batch.joints)}
        if self.stage.lifting_only:
            assert isinstance(self.network.mesh_head, CoarseToFine)  # stage_data refuses the other heads
            coarsest = self.network.mesh_head.coarsest(lifted.features)
            parts["coarse"] = distance_loss(coarsest, batch.vertices[:, self.rows[0]])
        else:
            parts |= self._mesh_parts(self.network.mesh_head(lifted.features), batch)
        weights = self.stage.loss.model_dump()
        total = sum((weights[name] * value for name, value in parts.items()), torch.zeros(()))
        return total, {name: value.detach() for name, value in parts.items()}

    def _mesh_parts(self, levels: list[Tensor], batch: Batch) -> dict[str, Tensor]:
        """Loss parts of vertex sets [B,N,3], coarse to fine."""
        targets = [batch.vertices[:, rows] for rows in self.rows[-len(levels) :]]
        errors = [distance_loss(p, t) for p, t in zip(levels, targets, strict=True)]
        finest, target = levels[-1].float(), targets[-1]
        parts = {
            "vertex": errors[-1],
            "mesh_joint": distance_loss(self.network.regress_joints(finest), batch.joints),
        }
        if len(errors) > 1:
            parts["coarse"] = torch.stack(errors[:-1]).mean()
        weights: LossConfig = self.stage.loss
        if weights.normal:
            parts["normal"] = normal_loss(finest, target, self.faces)
        if weights.edge:
            parts["edge"] = edge_loss(finest, target, self.faces)
        return parts


class ClassicObjective(nn.Module):
    """The paper's loss (Choi et al. 2020): L1 on lifted joints, vertices and their joints, normals, edges."""

    def __init__(self, network: ClassicBody, stage: StageConfig, faces: np.ndarray):
        super().__init__()
        self.network, self.stage = network, stage
        weights = MeshLossWeights(
            vertex=stage.loss.vertex,
            joint=stage.loss.mesh_joint,
            normal=stage.loss.normal,
            edge=stage.loss.edge,
            lift=stage.loss.joint,
        )
        self.mesh_loss = MeshLoss(torch.as_tensor(faces), weights, edge_start_epoch=0)

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        keypoints = keypoints_in(batch.keypoints, self.network.joint_set)
        if self.stage.lifting_only:
            loss = lifting_loss(self.network.lift(keypoints), batch.joints)
            return loss, {"lift": loss.detach()}
        predicted = self.network(keypoints)
        joints = self.network.joint_regressor @ predicted.vertices
        target = MeshTarget(batch.vertices, batch.joints, batch.joints)
        parts = self.mesh_loss(predicted.vertices, joints, predicted.joints, target, epoch=0)
        return parts.pop("total"), {name: value.detach() for name, value in parts.items()}


def keypoints_in(keypoints: Tensor, joint_set: str) -> Tensor:
    """COCO-17 detections [B,17,3] in another joint set [B,J,3]: the classic network wants the pelvis and neck too."""
    if joint_set == "coco17":
        return keypoints
    points, confidence = convert(
        keypoints[..., :2].numpy(force=True), keypoints[..., 2].numpy(force=True), "coco17", joint_set
    )
    return torch.from_numpy(np.concatenate([points, confidence[..., None]], -1)).to(keypoints.device)
