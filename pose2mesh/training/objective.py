"""The training losses, each one module with its network, so that DDP wraps both together."""

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh.datasets.annotated.targets import AnnotatedBatch
from pose2mesh.datasets.synthetic import Batch
from pose2mesh.losses import MeshLoss, MeshLossWeights, MeshTarget, edge_loss, lifting_loss, normal_loss
from pose2mesh.networks.classic_body import ClassicBody
from pose2mesh.networks.coarse_to_fine import CoarseToFine
from pose2mesh.networks.compact import CompactPose2Mesh
from pose2mesh.networks.compact_hand import CompactHand, turned, upright_turn
from pose2mesh.training.config import LossConfig, StageConfig

ONE_DEVIATION = 0.6827  # share of a normal distribution within one deviation


def distance_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean distance between points [...,3]; smooth at zero (1 micrometre)."""
    return (predicted.float() - target).square().sum(-1).add(1e-12).sqrt().mean()


def quantile_loss(predicted: Tensor, errors: Tensor, share: float) -> Tensor:
    """Mean pinball loss [...]: least where a `share` of the errors is below what is predicted (Koenker 1978)."""
    beyond = errors - predicted
    return torch.maximum(share * beyond, (share - 1) * beyond).mean()


class Objective(nn.Module):
    """network(keypoints) against a Batch; returns (total, the parts by name), lengths in metres."""

    faces: Tensor

    def __init__(self, network: CompactPose2Mesh, stage: StageConfig, level_rows: list[np.ndarray], faces: np.ndarray):
        """`level_rows`: for each vertex set of the mesh head, its rows in Batch.vertices; `faces` of the finest."""
        super().__init__()
        self.network, self.stage = network, stage
        # Buffers, so that they lie on the device: an index on the CPU would stop a GPU in every step.
        self.level_rows = [f"rows_{level}" for level in range(len(level_rows))]
        for name, rows in zip(self.level_rows, level_rows, strict=True):
            self.register_buffer(name, torch.as_tensor(rows, dtype=torch.long), persistent=False)
        self.register_buffer("faces", torch.as_tensor(faces, dtype=torch.long), persistent=False)

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        if isinstance(self.network, CompactHand):
            batch = upright_batch(batch)
        lifter = self.network.lifter
        lifted = lifter(batch.keypoints)
        parts = {"joint": distance_loss(lifted.joints, batch.joints)}
        deviation, body = lifter.deviation(lifted.features), lifter.body(lifted.features)
        if deviation is not None and body is not None:
            errors = (lifted.joints.detach() - batch.joints).norm(dim=-1)  # [B, J]
            parts["deviation"] = quantile_loss(deviation, errors, ONE_DEVIATION)
            parts["rotation"] = (body.rotations - batch.rotations).abs().mean()
            parts["shape"] = (body.betas - batch.betas).abs().mean()
        if self.stage.lifting_only:
            assert isinstance(self.network.mesh_head, CoarseToFine)  # stage_data refuses the other heads
            coarsest = self.network.mesh_head.coarsest(lifted.features)
            parts["coarse"] = distance_loss(coarsest, batch.vertices[:, self.rows[0]])
        else:
            parts |= self._mesh_parts(self.network.mesh_head(lifted.features), batch)
        weights = self.stage.loss.model_dump()
        total = sum((weights[name] * value for name, value in parts.items()), torch.zeros(()))
        return total, {name: value.detach() for name, value in parts.items()}

    @property
    def rows(self) -> list[Tensor]:
        """Rows in Batch.vertices of each vertex set, coarse to fine."""
        return [self.get_buffer(name) for name in self.level_rows]

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


def upright_batch(batch: Batch) -> Batch:
    """Samples of hands as `CompactHand` sees them: picture and target turned together."""
    turn = upright_turn(batch.keypoints)
    return batch._replace(
        keypoints=turned(batch.keypoints, turn),
        joints=turned(batch.joints, turn),
        vertices=turned(batch.vertices, turn),
    )


class ClassicObjective(nn.Module):
    """The paper's loss (Choi et al. 2020): L1 on lifted joints, vertices and their joints, normals, edges."""

    joint_regressor: Tensor  # [J, V]

    def __init__(
        self, network: ClassicBody, stage: StageConfig, faces: np.ndarray, joint_regressor: np.ndarray | None = None
    ):
        """`joint_regressor` [J, V] of the joints that meshes are compared in; the network's own set by default."""
        super().__init__()
        self.network, self.stage = network, stage
        regressor = network.joint_regressor if joint_regressor is None else torch.as_tensor(joint_regressor)
        self.register_buffer("joint_regressor", regressor.float(), persistent=False)
        weights = MeshLossWeights(
            vertex=stage.loss.vertex,
            joint=stage.loss.mesh_joint,
            normal=stage.loss.normal,
            edge=stage.loss.edge,
            lift=stage.loss.joint,
        )
        self.mesh_loss = MeshLoss(torch.as_tensor(faces), weights, edge_start_epoch=1)

    def forward(self, batch: Batch | AnnotatedBatch) -> tuple[Tensor, dict[str, Tensor]]:
        keypoints, target, has_edges = self._unpack(batch)
        if self.stage.lifting_only:
            loss = lifting_loss(self.network.lift(keypoints), target.lifted, target.lifted_valid)
            return self.stage.loss.joint * loss, {"lift": loss.detach()}
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
