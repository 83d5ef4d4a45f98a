"""The loss of the compact network, one module with it, so that DDP wraps both together."""

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh.losses.coordinates import distance_loss, quantile_loss
from pose2mesh.losses.surface import edge_loss, normal_loss
from pose2mesh.losses.targets import Batch
from pose2mesh.losses.weights import LossConfig
from pose2mesh.networks.coarse_to_fine import CoarseToFine
from pose2mesh.networks.compact import CompactPose2Mesh
from pose2mesh.networks.compact_hand import CompactHand, turned, upright_turn

ONE_DEVIATION = 0.6827  # share of a normal distribution within one deviation


class CompactObjective(nn.Module):
    """network(keypoints) against a Batch; returns (total, the parts by name), lengths in metres."""

    faces: Tensor

    def __init__(
        self,
        network: CompactPose2Mesh,
        weights: LossConfig,
        level_rows: list[np.ndarray],
        faces: np.ndarray,
        lifting_only: bool = False,
    ):
        """`level_rows`: for each vertex set of the mesh head, its rows in Batch.vertices; `faces` of the finest."""
        super().__init__()
        self.network, self.weights, self.lifting_only = network, weights, lifting_only
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
        if self.lifting_only:
            assert isinstance(self.network.mesh_head, CoarseToFine)  # stage_data refuses the other heads
            coarsest = self.network.mesh_head.coarsest(lifted.features)
            parts["coarse"] = distance_loss(coarsest, batch.vertices[:, self.rows[0]])
        else:
            parts |= self._mesh_parts(self.network.mesh_head(lifted.features), batch)
        weights = self.weights.model_dump()
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
        if self.weights.normal:
            parts["normal"] = normal_loss(finest, target, self.faces)
        if self.weights.edge:
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
