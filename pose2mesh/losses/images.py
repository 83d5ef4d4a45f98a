"""SPIN's loss of an image backbone against full truth (Kolotouros et al. 2019)."""

from typing import Any

from torch import Tensor

from pose2mesh.augmentation.ranges import NotNegative
from pose2mesh.geometry.weak_perspective import project_to_crop, scale_penalty
from pose2mesh.settings import Strict


class ImageLoss(Strict):
    """Weights; those of the released code, which multiplies them all by 60."""

    joints_2d: NotNegative = 5.0  # squares of half sides of the crop
    joints_3d: NotNegative = 5.0  # square metres
    pose: NotNegative = 1.0  # squares of the entries of rotation matrices
    shape: NotNegative = 0.001


def full_loss(
    found: Any,
    joints: Tensor,
    truth: Any,
    camera: Tensor,
    decoder: Any,
    weights: ImageLoss,
) -> Tensor:
    """The loss of an ImagePrediction where everything is known: joints [B,19,3] m, BodyParameters, the crop's camera
    [B,3]; `decoder`: a BodyDecoder.
    """
    predicted = decoder.joints(found.parameters)
    points = project_to_crop(predicted, found.camera) - project_to_crop(joints, camera)
    return (
        weights.joints_2d * points.square().sum(-1).mean()
        + weights.joints_3d * (predicted - joints).square().sum(-1).mean()
        + weights.pose * (found.parameters.rotations - truth.rotations).square().mean()
        + weights.shape * (found.parameters.betas - truth.betas).square().mean()
        + scale_penalty(found.camera)
    )
