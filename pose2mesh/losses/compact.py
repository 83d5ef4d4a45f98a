"""The loss of the compact network, one module with it, so that DDP wraps both together."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh.losses.targets import Batch
from pose2mesh.losses.terms import Compared, LossConfig, weigh

_OF_LIFTER = {"joint", "deviation", "rotation", "shape"}  # what it says by itself


class CompactObjective(nn.Module):
    """network(keypoints) against a Batch; returns (total, the parts by name), lengths in metres."""

    faces: Tensor

    def __init__(
        self,
        network: Any,
        weights: LossConfig,
        level_rows: list[np.ndarray],
        faces: np.ndarray,
        lifting_only: bool = False,
    ):
        """`network`: a CompactPose2Mesh; `level_rows`: for each vertex set of its head, its rows in Batch.vertices;
        `faces` of the finest.
        """
        super().__init__()
        self.network, self.weights, self.lifting_only = network, weights, lifting_only
        # Buffers, so that they lie on the device: an index on the CPU would stop a GPU in every step.
        self.level_rows = [f"rows_{level}" for level in range(len(level_rows))]
        for name, rows in zip(self.level_rows, level_rows, strict=True):
            self.register_buffer(name, torch.as_tensor(rows, dtype=torch.long), persistent=False)
        self.register_buffer("faces", torch.as_tensor(faces, dtype=torch.long), persistent=False)

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        batch = self.network.as_lifted(batch)
        lifter = self.network.lifter
        lifted = lifter(batch.keypoints)
        body = lifter.body(lifted.features)
        predicted = Compared(lifted.joints, deviation=lifter.deviation(lifted.features))
        true = Compared(batch.joints, rotations=batch.rotations, betas=batch.betas, faces=self.faces)
        if body is not None:
            predicted = predicted._replace(rotations=body.rotations, betas=body.betas)
        if self.lifting_only:
            coarsest = self.network.mesh_head.coarsest(lifted.features)
            predicted = predicted._replace(coarse=(coarsest,))
            true = true._replace(coarse=(batch.vertices[:, self.rows[0]],))
        else:
            *coarse, finest = self.network.mesh_head(lifted.features)
            *true_coarse, vertices = (batch.vertices[:, rows] for rows in self.rows[-len(coarse) - 1 :])
            mesh_joints, finest = self.network.regress_joints(finest), finest.float()
            predicted = predicted._replace(coarse=tuple(coarse), vertices=finest, mesh_joints=mesh_joints)
            true = true._replace(coarse=tuple(true_coarse), vertices=vertices)
        total, parts = weigh(predicted, true, self.weights.terms)
        is_frozen = not any(parameter.requires_grad for parameter in lifter.parameters())
        learned = parts.keys() - (_OF_LIFTER if is_frozen else set())
        self.weights.refuse({*self.weights.terms, "weigh_limbs"} - learned)
        return total, parts

    @property
    def rows(self) -> list[Tensor]:
        """Rows in Batch.vertices of each vertex set, coarse to fine."""
        return [self.get_buffer(name) for name in self.level_rows]
