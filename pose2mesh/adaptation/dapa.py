"""DAPA's two steps (Weng et al. 2022): real samples by what is known of them in 2D, synthetic ones with full truth.

On keypoints a real step sees those of the target and minimizes nothing but the distance of re-projected joints. Its
predictions, with poses moved in the latent space of the prior, are projected by the cameras that were found, get the
target's own missing joints and errors of the measured size, and make the synthetic batch of the second step, whose
pose, shape, joints and vertices are known. No pixel is needed.
"""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn

from pose2mesh.adaptation.backbones import Backbone
from pose2mesh.adaptation.config import AdaptConfig
from pose2mesh.adaptation.method import make_adam, reprojection_loss
from pose2mesh.adaptation.pose_augmentation import augment_poses, without_impossible_shapes
from pose2mesh.adaptation.target import TargetSet
from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints.prior import load_pose_prior
from pose2mesh.geometry.placement import person_size, place_bodies, project_rays
from pose2mesh.losses.targets import Batch
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.skeletons import COCO_ROWS
from pose2mesh.synthesis.bodies import seeded_generator
from pose2mesh.training.optimization import descend
from pose2mesh.training.run_folder import Stateful

_MEASURED_ON = 512  # target samples that the size of detection errors is measured on


class DetectionErrors(NamedTuple):
    """Errors of the target's keypoints per joint, in sizes of the person."""

    offset: Tensor  # [J, 2] systematic: another convention of the joint, a detector's habit
    deviation: Tensor  # [J, 2]

    def add(self, keypoints: Tensor, generator: Generator) -> Tensor:
        """Keypoints [B,J,3] with such errors."""
        noise = torch.randn(keypoints[..., :2].shape, generator=generator).to(keypoints)
        size = person_size(keypoints[..., :2], keypoints[..., 2])[:, None, None]
        moved = keypoints[..., :2] + size * (self.offset + self.deviation * noise)
        return torch.cat([moved, keypoints[..., 2:]], -1)


class DomainAdaptiveAugmentation(ABC):
    """Real step, then synthetic step, with one optimizer; what is looked at and made differs by material."""

    def __init__(self, weights: list[nn.Parameter], config: AdaptConfig):
        """Raises MissingFileError, FormatError, and InputError for a prior of another body, before any step."""
        self.settings, self.seed, self.clip_norm = config.dapa, config.seed, config.clip_norm
        self.prior = load_pose_prior(self.settings.prior).to(weights[0].device)
        self.optimizer = make_adam(weights, config.learning_rate)

    def step(self, index: int, source: Any, target: Any) -> dict[str, float] | None:
        real, found = self.look(index, target)
        if not bool(torch.isfinite(real)):  # nothing can be made of what was found
            return None
        if self.settings.reprojection and not self._descend(self.settings.reprojection * real):
            return None
        parts = {"real": float(real.detach())}
        if self.settings.supervision:
            loss = self.synthetic(target, found)
            if not self._descend(self.settings.supervision * loss):
                return None
            parts["synthetic"] = float(loss.detach())
        return parts

    @abstractmethod
    def look(self, index: int, target: Any) -> tuple[Tensor, Any]:
        """The loss of a batch of the target, and what the network found in it."""

    @abstractmethod
    def synthetic(self, target: Any, found: Any) -> Tensor:
        """The loss of samples made from what was found; the weights have changed since."""

    def parts(self) -> dict[str, Stateful]:
        return {"optimizer": self.optimizer}

    def _descend(self, loss: Tensor) -> bool:
        return descend(loss, [self.optimizer], self.clip_norm)


class KeypointAugmentation(DomainAdaptiveAugmentation):
    """Both steps of one extractor, on keypoints [B,J,3] in the network's joint set and focal lengths."""

    def __init__(self, backbone: Backbone, target: TargetSet, config: AdaptConfig):
        super().__init__(backbone.trainable(), config)
        self.backbone, self.target = backbone, target
        self.decoder = AnnyDecoder(load_anny_body(), backbone.vertex_ids).to(backbone.device)
        self.generator = seeded_generator(config.seed, 13)
        self.errors = self._measure_errors() if self.settings.errors == "measured" else None

    def look(self, index: int, target: Tensor) -> tuple[Tensor, Tensor]:
        """Found are features [B,C]."""
        self.generator = seeded_generator(self.seed, 13, index)
        features = self.backbone.features(target).float()
        return reprojection_loss(self.backbone, features, target, self.target.confident(target)), features.detach()

    def synthetic(self, target: Tensor, found: Tensor) -> Tensor:
        with torch.autocast(target.device.type, enabled=False):  # bfloat16 would round the truth to millimetres
            with torch.no_grad():
                predicted = without_impossible_shapes(self.backbone.parameters_of(found))  # the head is frozen
            keypoints, truth = self.synthesize(predicted, target)
        return self.backbone.supervised(self.backbone.features(keypoints).float(), truth)

    def synthesize(self, predicted: BodyParameters, target: Tensor) -> tuple[Tensor, Batch]:
        """The next synthetic batch: keypoints [B,J,3] in the network's joint set, and what is true of them.

        `predicted` are the parameters found for the keypoints `target` [B,J,3]; joints missing there are missing here.
        """

        def loss(parameters: BodyParameters) -> Tensor:
            truth = self._truth(parameters, cameras)
            return self.backbone.supervised(self.backbone.features(self._detect(truth, target, None)).float(), truth)

        with torch.no_grad():
            cameras = self._cameras(predicted, target)
        augmented = augment_poses(self.prior, predicted, self.settings.latent, self.generator, loss)
        with torch.no_grad():
            truth = self._truth(augmented, cameras)
            return self._detect(truth, target, self.errors), truth

    def _cameras(self, predicted: BodyParameters, target: Tensor) -> Tensor:
        """Translations [B,3] that put the predicted bodies on their keypoints."""
        weighted = torch.cat([target[..., :2], self.target.confident(target)[..., None]], -1)
        points, joints = self.backbone.align(weighted, self.decoder.joints(predicted))
        return place_bodies(joints, points[..., :2], points[..., 2])

    def _truth(self, parameters: BodyParameters, cameras: Tensor) -> Batch:
        body = self.decoder(parameters)
        points = project_rays(body.joints[:, COCO_ROWS], cameras)
        exact = torch.cat([points, torch.ones_like(points[..., :1])], -1)  # [B, 17, 3]
        return Batch(exact, body.joints, body.vertices, parameters.rotations, parameters.betas)

    def _detect(self, truth: Batch, target: Tensor, errors: DetectionErrors | None) -> Tensor:
        """Keypoints as the target's detector would give them: errors as measured, its confidences and gaps."""
        exact = self.backbone.keypoints_of(truth)  # [B, J, 3]
        seen = torch.cat([exact[..., :2], target[..., 2:] * (exact[..., 2:] > 0)], -1)
        return errors.add(seen, self.generator) if errors else seen

    @torch.no_grad()
    def _measure_errors(self) -> DetectionErrors:
        """Residuals of the target's keypoints beyond those of exact keypoints of the same bodies.

        What the network cannot re-project although it is exact is no fault of the detector: its mean and variance are
        taken off.
        """
        target = self.target.draw(_MEASURED_ON, 0, 0).to(self.backbone.device)
        predicted = self.backbone.parameters_of(self.backbone.features(target).float())
        exact = self._detect(self._truth(predicted, self._cameras(predicted, target)), target, None)
        seen, clean = self._residuals(target), self._residuals(exact)
        offset = seen[0] - clean[0]
        return DetectionErrors(offset, (seen[1] - clean[1]).clamp(min=0).sqrt())

    def _residuals(self, keypoints: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance [J,2] of keypoints [B,J,3] minus their re-projection, in sizes of the person."""
        weights = self.target.confident(keypoints)  # [B, J]
        weighted = torch.cat([keypoints[..., :2], weights[..., None]], -1)
        found = self.backbone.joints(self.backbone.features(keypoints).float()).float()
        points, joints = self.backbone.align(weighted, found)
        rays, share = points[..., :2], points[..., 2:]  # [B, K, 2], [B, K, 1]
        projected = project_rays(joints, place_bodies(joints, rays, share[..., 0]))
        residual = (rays - projected) / person_size(rays, share[..., 0])[:, None, None]
        share = share / share.sum(0, keepdim=True).clamp(min=1e-6)
        mean = (share * residual).sum(0)  # [K, 2]
        variance = (share * (residual - mean).square()).sum(0)
        full = torch.zeros(2, keypoints.shape[1], 2, device=keypoints.device)
        rows = [row for row, _ in self.backbone.shared]
        full[0, rows], full[1, rows] = mean, variance
        return full[0], full[1]
