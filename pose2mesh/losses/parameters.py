"""The loss of the parameter network: joints, a few vertices, rotations and shape, all without the full mesh."""

from typing import Any

import torch
from torch import Tensor, nn

from pose2mesh.losses.targets import Batch
from pose2mesh.losses.terms import Compared, LossConfig, weigh

_LIMB_WEIGHTS = {"wrist": 8.0, "ankle": 8.0, "elbow": 4.0, "knee": 4.0, "shoulder": 2.0, "hip": 2.0}  # the paper's


class ParameterLoss(nn.Module):
    """Parameters of a body against a Batch."""

    joint_weights: Tensor  # [19, 1], mean 1

    def __init__(self, decoder: Any, weights: LossConfig):
        """`decoder`: a BodyDecoder of the vertices that batches hold."""
        super().__init__()
        self.decoder, self.weights = decoder, weights
        names = decoder.joint_set.joints
        limbs = [_LIMB_WEIGHTS.get(name.split("_")[-1], 1.0) if weights.weigh_limbs else 1.0 for name in names]
        share = torch.tensor(limbs)[:, None]
        self.register_buffer("joint_weights", share / share.mean(), persistent=False)

    def forward(self, parameters: Any, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """(total, the parts by name); lengths in metres."""
        body, share = self.decoder(parameters), self.joint_weights
        predicted = Compared(body.joints * share, body.vertices, rotations=parameters.rotations, betas=parameters.betas)
        true = Compared(batch.joints * share, batch.vertices, rotations=batch.rotations, betas=batch.betas)
        total, parts = weigh(predicted, true, self.weights.terms)
        self.weights.refuse(self.weights.terms.keys() - parts.keys())
        return total, parts


class ParameterObjective(nn.Module):
    """network(keypoints) against a Batch; returns (total, the parts by name)."""

    def __init__(self, network: Any, decoder: Any, weights: LossConfig):
        """`network`: a Key2Mesh; `decoder` as of ParameterLoss."""
        super().__init__()
        self.network, self.loss = network, ParameterLoss(decoder, weights)

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        return self.loss(self.network.estimate(self.network.lifter.features(batch.keypoints)), batch)
