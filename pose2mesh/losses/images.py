"""SPIN's losses of an image backbone, against full truth and against keypoints (Kolotouros et al. 2019)."""

from typing import Any

from torch import Tensor

from pose2mesh.augmentation.ranges import NotNegative
from pose2mesh.geometry.weak_perspective import project_to_crop, scale_penalty
from pose2mesh.settings import Strict
from pose2mesh.skeletons import COCO_ROWS


class ImageLoss(Strict):
    """Weights; the numbers of the released code, which multiplies them all by 60.

    It takes means over coordinates where distances are squared here, so its points weigh a half in the picture and a
    third in space of what they do here.
    """

    joints_2d: NotNegative = 5.0  # squares of half sides of the crop
    joints_3d: NotNegative = 5.0  # square metres
    pose: NotNegative = 1.0  # squares of the entries of rotation matrices
    shape: NotNegative = 0.001


def picture_loss(found: Any, keypoints: Tensor, decoder: Any, weights: ImageLoss) -> Tensor:
    """The loss of an ImagePrediction where keypoints [B,17,3] of COCO-17 alone are known, in half sides of the crop."""
    joints = decoder.joints(found.parameters)[:, COCO_ROWS]
    squared = (project_to_crop(joints, found.camera) - keypoints[..., :2]).square().sum(-1)  # [B, 17]
    return weights.joints_2d * (keypoints[..., 2] * squared).mean() + scale_penalty(found.camera)


def full_loss(found: Any, joints: Tensor, truth: Any, camera: Tensor, decoder: Any, weights: ImageLoss) -> Tensor:
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
