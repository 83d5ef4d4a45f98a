"""The loss of the parameter network: joints, a few vertices, rotations and shape, all without the full mesh."""

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh.body_models import AnnyBody
from pose2mesh.losses.coordinates import distance_loss
from pose2mesh.losses.targets import Batch
from pose2mesh.losses.weights import LossConfig
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.key2mesh import Key2Mesh
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.skeletons import joint_set

_LIMB_WEIGHTS = {"wrist": 8.0, "ankle": 8.0, "elbow": 4.0, "knee": 4.0, "shoulder": 2.0, "hip": 2.0}  # the paper's


class ParameterLoss(nn.Module):
    """BodyParameters of the free body against a Batch."""

    joint_weights: Tensor  # [19, 1], mean 1

    def __init__(self, body: AnnyBody, vertex_ids: np.ndarray, weights: LossConfig):
        """`vertex_ids`: the vertices that batches hold."""
        super().__init__()
        self.decoder, self.weights = AnnyDecoder(body, vertex_ids), weights
        names = joint_set("coco19").joints
        limbs = [_LIMB_WEIGHTS.get(name.split("_")[-1], 1.0) if weights.weigh_limbs else 1.0 for name in names]
        share = torch.tensor(limbs)[:, None]
        self.register_buffer("joint_weights", share / share.mean(), persistent=False)

    def forward(self, parameters: BodyParameters, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """(total, the parts by name); lengths in metres."""
        body = self.decoder(parameters)
        weights = self.joint_weights
        parts = {
            "joint": distance_loss(body.joints * weights, batch.joints * weights),
            "vertex": distance_loss(body.vertices, batch.vertices),
            "rotation": (parameters.rotations - batch.rotations).abs().mean(),
            "shape": (parameters.betas - batch.betas).abs().mean(),
        }
        total = sum((getattr(self.weights, name) * value for name, value in parts.items()), torch.zeros(()))
        return total, {name: value.detach() for name, value in parts.items()}


class ParameterObjective(nn.Module):
    """network(keypoints) against a Batch; returns (total, the parts by name)."""

    def __init__(self, network: Key2Mesh, body: AnnyBody, vertex_ids: np.ndarray, weights: LossConfig):
        super().__init__()
        self.network, self.loss = network, ParameterLoss(body, vertex_ids, weights)

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        return self.loss(self.network.estimate(self.network.lifter.features(batch.keypoints)), batch)
