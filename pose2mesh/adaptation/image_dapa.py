"""DAPA for an image backbone: the same two steps, the synthetic one on rendered pictures (Weng et al. 2022)."""

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh.adaptation.config import AdaptConfig
from pose2mesh.adaptation.image_synthesis import ImageSynthesizer
from pose2mesh.adaptation.image_target import ImageTarget
from pose2mesh.adaptation.method import make_adam
from pose2mesh.adaptation.pose_augmentation import augment_poses, without_impossible_shapes
from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints.prior import load_pose_prior
from pose2mesh.errors import InputError
from pose2mesh.evaluation.images import predict_images
from pose2mesh.losses.images import full_loss, picture_loss
from pose2mesh.networks.spin import ImageBackbone
from pose2mesh.synthesis.bodies import seeded_generator
from pose2mesh.training.optimization import descend


class ImageAugmentation:
    """Real step on photos, synthetic step on pictures of what was predicted in them."""

    def __init__(self, network: ImageBackbone, target: ImageTarget, config: AdaptConfig):
        """Raises MissingFileError, FormatError, and InputError for settings that do not fit, before any step."""
        if config.dapa.latent.kind == "adversarial":
            raise InputError(
                "dapa.latent.kind: rendered pictures have no gradient to climb; choose multiply, add or random"
            )
        self.network, self.target, self.settings = network, target, config.dapa
        self.batch_size, self.weights, self.precision = config.batch_size, config.dapa.image, config.precision
        self.prior = load_pose_prior(self.settings.prior)
        self.synthesizer = ImageSynthesizer(load_anny_body(), self.settings.image.synthesis)
        self.optimizer = make_adam(list(network.parameters()), config.learning_rate)
        self.seed, self.clip_norm = config.seed, config.clip_norm

    def step(self, index: int) -> dict[str, float] | None:
        """One real and one synthetic step; None where one was not finite."""
        generator, rng = seeded_generator(self.seed, 17, index), np.random.default_rng((self.seed, index))
        images, keypoints = self.target.draw(self.batch_size, generator)
        found = predict_images(self.network, torch.from_numpy(images), self.precision)
        real = picture_loss(found, keypoints, self.synthesizer.decoder, self.weights)
        if self.settings.reprojection and not self._descend(self.settings.reprojection * real):
            return None
        parts = {"real": float(real.detach())}
        if self.settings.supervision:
            predicted, camera = without_impossible_shapes(found.parameters), found.camera.detach()
            augmented = augment_poses(self.prior, predicted, self.settings.latent, generator)
            pictures, truth = self.synthesizer(images, predicted, augmented, camera, rng)
            again = predict_images(self.network, torch.from_numpy(pictures), self.precision)
            decoder = self.synthesizer.decoder
            loss = full_loss(again, truth.joints, truth.parameters, camera, decoder, self.weights)
            if not self._descend(self.settings.supervision * loss):
                return None
            parts["synthetic"] = float(loss.detach())
        return parts

    def _descend(self, loss: Tensor) -> bool:
        return descend(loss, [self.optimizer], self.clip_norm)


def freeze_norms(network: nn.Module) -> nn.Module:
    """Batch norms keep their statistics: those of a small synthetic batch are not those of photos."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    return network
