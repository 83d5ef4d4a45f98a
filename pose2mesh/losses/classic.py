"""The paper's loss of the classic network, on synthetic bodies and on annotated people."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh.losses.coordinates import mean_absolute
from pose2mesh.losses.surface import edge_loss, normal_loss
from pose2mesh.losses.targets import AnnotatedBatch, Batch
from pose2mesh.losses.terms import Compared, LossConfig, weigh


class ClassicObjective(nn.Module):
    """The paper's loss (Choi et al. 2020): L1 on lifted joints, vertices and their joints, normals, edges."""

    joint_regressor: Tensor  # [J, V]
    faces: Tensor  # [F, 3]

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
        used = {"joint"} if lifting_only else {"joint", "vertex", "mesh_joint", "normal", "edge", *weights.added}
        weights.refuse({*weights.terms, "weigh_limbs"} - used)
        regressor = network.joint_regressor if joint_regressor is None else torch.as_tensor(joint_regressor)
        self.register_buffer("joint_regressor", regressor.float(), persistent=False)
        self.register_buffer("faces", torch.as_tensor(faces, dtype=torch.long), persistent=False)

    def forward(self, batch: Batch | AnnotatedBatch) -> tuple[Tensor, dict[str, Tensor]]:
        if self.lifting_only:
            loss = mean_absolute(self.network.lift(batch.keypoints), batch.lifted, batch.lifted_valid)
            return self.weights.joint * loss, {"lift": loss.detach()}
        predicted = self.network(batch.keypoints)
        terms = self._terms(predicted, batch)
        total = torch.stack([weight * value for weight, value in terms.values()]).sum()
        parts = {name: value.detach() for name, (_, value) in terms.items()}
        if self.weights.added:
            pair = _of_valid(predicted, batch, self.faces)
            more, added = weigh(*pair, self.weights.added)
            self.weights.refuse(self.weights.added.keys() - added.keys())
            if not len(pair[0].joints):  # pyright: ignore - a mean over nobody is no number
                more, added = 0.0, {name: torch.zeros_like(value) for name, value in added.items()}
            total, parts = total + more, parts | added
        return total, parts

    def _terms(self, predicted: Any, batch: Batch | AnnotatedBatch) -> dict[str, tuple[float, Tensor]]:
        """(weight, value) of the terms that are switched on."""
        weights, vertices, true, valid = self.weights, predicted.vertices, batch.vertices, batch.vertices_valid
        joints = self.joint_regressor @ vertices
        terms = {
            "vertex": (weights.vertex, mean_absolute(vertices, true, valid)),
            "joint": (weights.mesh_joint, mean_absolute(joints, batch.joints, batch.joints_valid)),
            "lift": (weights.joint, mean_absolute(predicted.joints, batch.lifted, batch.lifted_valid)),
        }
        if weights.normal:
            terms["normal"] = weights.normal, normal_loss(vertices, true, self.faces, valid)
        if weights.edge and batch.has_edges:
            terms["edge"] = weights.edge, edge_loss(vertices, true, self.faces, valid)
        return terms


def _of_valid(predicted: Any, batch: Batch | AnnotatedBatch, faces: Tensor) -> tuple[Compared, Compared]:
    """Those people of a batch whose mesh and lifted joints are known."""
    known = torch.ones(len(batch.vertices), dtype=torch.bool, device=batch.vertices.device)
    for valid in (batch.vertices_valid, batch.lifted_valid):
        known = known if valid is None else known & valid
    pair = (predicted.joints, predicted.vertices), (batch.lifted, batch.vertices)
    return tuple(Compared(joints[known], vertices[known], faces=faces) for joints, vertices in pair)  # pyright: ignore
