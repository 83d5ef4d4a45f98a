"""What every way to adapt is: steps that change a backbone's extractor, given source samples and target keypoints."""

from typing import Protocol

import torch
from torch import Tensor, nn

from pose2mesh.adaptation.backbones import Backbone
from pose2mesh.adaptation.target import TargetSet
from pose2mesh.datasets.synthetic import Batch
from pose2mesh.fitting.batched_camera import reprojection_errors


class Method(Protocol):
    """One way to adapt. Several may take turns: each step of a run is one step of each."""

    def step(self, index: int, source: Batch, target: Tensor) -> dict[str, float] | None:
        """Change the extractor once; the parts to show, or None where a loss was not finite and nothing changed.

        `source` is labeled, `target` [B,J,3] are keypoints in the network's joint set and focal lengths.
        """
        ...


def reprojection_loss(backbone: Backbone, features: Tensor, keypoints: Tensor, weights: Tensor) -> Tensor:
    """Mean distance of re-projected joints from keypoints [B,J,3], in sizes of the person.

    The camera follows from joints and keypoints in closed form. `weights` [B,J], 0 leaves a joint out.
    """
    points, joints = backbone.align(torch.cat([keypoints[..., :2], weights[..., None]], -1), backbone.joints(features))
    weights = points[..., 2]  # [B, K]
    errors = reprojection_errors(joints.float(), points[..., :2], weights)  # [B, K]
    enough = (weights > 0).sum(1, keepdim=True) >= 4  # fewer fix no camera
    weights = weights * enough
    return (errors * weights).sum() / weights.sum().clamp(min=1e-6)


@torch.no_grad()
def held_out_error(backbone: Backbone, target: TargetSet, size: int = 256) -> float:
    """`reprojection_loss` of the people that no step sees."""
    total = count = 0.0
    for keypoints in target.held_out_batches(size):
        device = next(backbone.extractor.parameters()).device
        keypoints = keypoints.to(device)
        loss = reprojection_loss(backbone, backbone.features(keypoints), keypoints, target.confident(keypoints))
        total, count = total + float(loss) * len(keypoints), count + len(keypoints)
    return total / count


class SafeOptimizer:
    """An optimizer that takes no step where the loss or a gradient is not finite."""

    def __init__(self, parameters: list[nn.Parameter], learning_rate: float, clip_norm: float):
        self.parameters, self.clip_norm = parameters, clip_norm
        self.optimizer = torch.optim.Adam(parameters, lr=learning_rate, betas=(0.5, 0.9), fused=True)

    def step(self, loss: Tensor) -> bool:
        """Descend once; False, and nothing changed, if that was not possible."""
        self.optimizer.zero_grad(set_to_none=True)
        gradients = torch.autograd.grad(loss, self.parameters, allow_unused=True)
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        norm = nn.utils.clip_grad_norm_(self.parameters, self.clip_norm)
        if not bool(torch.isfinite(loss) & torch.isfinite(norm)):
            return False
        self.optimizer.step()
        return True
