"""What every way to adapt is: steps that change weights, given source samples and a batch of the target."""

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from pose2mesh.adaptation.backbones import Backbone
from pose2mesh.adaptation.target import TargetSet
from pose2mesh.losses import reprojection
from pose2mesh.training.run_folder import Stateful


class Method(Protocol):
    """One way to adapt. Several may take turns: each step of a run is one step of each."""

    def step(self, index: int, source: Any, target: Any) -> dict[str, float] | None:
        """Change the weights once; the parts to show, or None where a loss was not finite: what came before it stays.

        `source` and `target` are what the material draws (see `materials`). All that is random follows from `index`.
        """
        ...

    def parts(self) -> dict[str, Stateful]:
        """What changes from step to step beside the weights, by name."""
        ...


def reprojection_loss(backbone: Backbone, features: Tensor, keypoints: Tensor, weights: Tensor) -> Tensor:
    """`losses.reprojection` of the joints that features [B,C] lead to, against keypoints [B,J,3].

    The camera follows from joints and keypoints in closed form. `weights` [B,J], 0 leaves a joint out.
    """
    points, joints = backbone.align(torch.cat([keypoints[..., :2], weights[..., None]], -1), backbone.joints(features))
    return reprojection.reprojection_loss(joints, points[..., :2], points[..., 2])


@torch.no_grad()
def held_out_error(backbone: Backbone, target: TargetSet, size: int = 256) -> float:
    """`reprojection_loss` of the people that no step sees."""
    total = count = 0.0
    for keypoints in target.held_out.split(size):
        keypoints = keypoints.to(backbone.device)
        loss = reprojection_loss(backbone, backbone.features(keypoints), keypoints, target.confident(keypoints))
        total, count = total + float(loss) * len(keypoints), count + len(keypoints)
    return total / count


def make_adam(weights: list[nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
    """The optimizer of every method; its short memory is Gulrajani et al.'s (2017) for a critic that moves."""
    return torch.optim.Adam(weights, lr=learning_rate, betas=(0.5, 0.9), fused=True)
