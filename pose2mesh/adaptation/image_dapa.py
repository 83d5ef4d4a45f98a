"""DAPA for an image backbone: the same two steps, the synthetic one on rendered pictures (Weng et al. 2022)."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh.adaptation.config import AdaptConfig
from pose2mesh.adaptation.dapa import DomainAdaptiveAugmentation
from pose2mesh.adaptation.image_synthesis import ImageSynthesizer
from pose2mesh.adaptation.image_target import ImageTarget
from pose2mesh.adaptation.pose_augmentation import augment_poses, without_impossible_shapes
from pose2mesh.body_models import load_anny_body
from pose2mesh.errors import InputError
from pose2mesh.evaluation.images import predict_images
from pose2mesh.losses.images import full_loss, picture_loss
from pose2mesh.networks.spin import ImageBackbone, ImagePrediction


class PhotoBatch(NamedTuple):
    """What a step sees."""

    images: np.ndarray  # uint8 [B, 224, 224, 3]
    keypoints: Tensor  # [B, 17, 3] half sides of the crop from its center, confidence
    generator: torch.Generator  # of what else is random in the step
    rng: np.random.Generator  # of its pictures


class ImageAugmentation(DomainAdaptiveAugmentation):
    """Real step on photos, synthetic step on pictures of what was predicted in them."""

    def __init__(self, network: ImageBackbone, target: ImageTarget, config: AdaptConfig):
        """Raises MissingFileError, FormatError, and InputError for settings that do not fit, before any step."""
        if config.dapa.latent.kind == "adversarial":
            raise InputError(
                "dapa.latent.kind: rendered pictures have no gradient to climb; choose multiply, add or random"
            )
        super().__init__(list(network.parameters()), config)
        self.network, self.weights, self.precision = network, config.dapa.image, config.precision
        self.synthesizer = ImageSynthesizer(load_anny_body(), self.settings.image.synthesis)

    def look(self, index: int, target: PhotoBatch) -> tuple[Tensor, ImagePrediction]:
        found = predict_images(self.network, torch.from_numpy(target.images), self.precision)
        return picture_loss(found, target.keypoints, self.synthesizer.decoder, self.weights), found

    def synthetic(self, target: PhotoBatch, found: ImagePrediction) -> Tensor:
        predicted, camera = without_impossible_shapes(found.parameters), found.camera.detach()
        augmented = augment_poses(self.prior, predicted, self.settings.latent, target.generator)
        pictures, truth = self.synthesizer(target.images, predicted, augmented, camera, target.rng)
        again = predict_images(self.network, torch.from_numpy(pictures), self.precision)
        return full_loss(again, truth.joints, truth.parameters, camera, self.synthesizer.decoder, self.weights)


def freeze_norms(network: nn.Module) -> nn.Module:
    """Batch norms keep their statistics: those of a small synthetic batch are not those of photos."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    return network
