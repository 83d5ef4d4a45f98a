"""SPIN's loss of an image backbone against full truth (Kolotouros et al. 2019)."""

from torch import Tensor

from pose2mesh.augmentation.ranges import NotNegative
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.networks.spin import ImagePrediction, project_to_crop, scale_penalty
from pose2mesh.settings import Strict


class ImageLoss(Strict):
    """Weights; those of the released code, which multiplies them all by 60."""

    joints_2d: NotNegative = 5.0  # squares of half sides of the crop
    joints_3d: NotNegative = 5.0  # square metres
    pose: NotNegative = 1.0  # squares of the entries of rotation matrices
    shape: NotNegative = 0.001


def full_loss(
    found: ImagePrediction,
    joints: Tensor,
    truth: BodyParameters,
    camera: Tensor,
    decoder: AnnyDecoder,
    weights: ImageLoss,
) -> Tensor:
    """The loss where everything is known: joints [B,19,3] m, parameters and the camera [B,3] of the crop."""
    predicted = decoder.joints(found.parameters)
    points = project_to_crop(predicted, found.camera) - project_to_crop(joints, camera)
    return (
        weights.joints_2d * points.square().sum(-1).mean()
        + weights.joints_3d * (predicted - joints).square().sum(-1).mean()
        + weights.pose * (found.parameters.rotations - truth.rotations).square().mean()
        + weights.shape * (found.parameters.betas - truth.betas).square().mean()
        + scale_penalty(found.camera)
    )
