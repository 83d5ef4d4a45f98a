"""A steady body over time against the truth."""

from typing import Any

import torch
from torch import Tensor, nn

from pose2mesh.augmentation.ranges import NotNegative
from pose2mesh.augmentation.sequence_noise import RATE
from pose2mesh.body_models import AnnyBody
from pose2mesh.losses.targets import SequenceBatch
from pose2mesh.settings import Strict
from pose2mesh.skeletons import joint_set


class MotionLossConfig(Strict):
    """Weights; lengths in metres, times in frames at 30 a second."""

    joint: NotNegative = 1.0
    local: NotNegative = 1.0  # the joints seen from the pelvis: what the pose's errors are without its heading's
    vertex: NotNegative = 0.5
    rotation: NotNegative = 0.1  # entries of the rotation matrices
    shape: NotNegative = 0.002
    velocity: NotNegative = 0.7
    acceleration: NotNegative = 0.3


class MotionLoss(nn.Module):
    """A steady body against the truth: points, rotations, shape, and how points move."""

    levers: Tensor  # [P, G, 3, 1+S] of output joints, then points of the mesh

    def __init__(self, body: AnnyBody, levers: Tensor, output: str, weights: MotionLossConfig):
        super().__init__()
        outputs = joint_set(output)
        self.body, self.weights, self.joints = body, weights, len(outputs)
        root = outputs.index(outputs.root or outputs.joints[0])
        self.register_buffer("levers", levers - levers[root], persistent=False)

    def forward(self, steady: Any, truth: SequenceBatch, causal: bool) -> tuple[Tensor, dict[str, Tensor]]:
        """(total, the parts by name) of a SteadyBody."""
        betas = steady.shape(causal)
        rotations = steady.rotations
        groups = self.body.expand_groups(rotations.flatten(0, 1))  # [BT, G, 3, 3]
        shape = torch.cat([torch.ones_like(betas[..., :1]), betas], -1).flatten(0, 1)
        levers = torch.einsum("pgis,bs->bgip", self.levers, shape)
        points = (groups @ levers).sum(1).transpose(1, 2).unflatten(0, rotations.shape[:2])  # [B, T, P, 3]
        seen = truth.present.float()  # [B, T]
        own, true = (p[:, :, : self.joints] for p in (points, truth.points))
        local = own @ rotations[:, :, 0] - true @ truth.rotations[:, :, 0]  # row vectors: R^T turns them back
        error = points - truth.points
        rate = 1 / (RATE * (truth.times[:, 1:] - truth.times[:, :-1])).clamp(min=1e-3)[..., None, None]
        speed = (error[:, 1:] - error[:, :-1]) * rate  # m a thirtieth of a second
        both = seen[:, 1:] * seen[:, :-1]
        change = (speed[:, 1:] - speed[:, :-1]) * rate[:, 1:]
        all_three = both[:, 1:] * both[:, :-1]
        parts = {
            "joint": _mean(error[:, :, : self.joints].norm(dim=-1).mean(-1), seen),
            "local": _mean(local.norm(dim=-1).mean(-1), seen),
            "vertex": _mean(error[:, :, self.joints :].norm(dim=-1).mean(-1), seen),
            "rotation": _mean((rotations - truth.rotations).abs().mean((-1, -2, -3)), seen),
            "shape": _mean((betas - truth.betas[:, None]).abs().mean(-1), seen),
            "velocity": _mean(speed[:, :, : self.joints].norm(dim=-1).mean(-1), both),
            "acceleration": _mean(change[:, :, : self.joints].norm(dim=-1).mean(-1), all_three),
        }
        total = sum((getattr(self.weights, name) * value for name, value in parts.items()), torch.zeros(()))
        return total, {name: value.detach() for name, value in parts.items()}


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum() / weights.sum().clamp(min=1)
