"""The controlled domain gap for an image backbone: adapt to pictures and 2D keypoints, measure on hidden truth."""

import copy
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pose2mesh.adaptation.config import AdaptConfig, ImageConfig
from pose2mesh.adaptation.image_dapa import PhotoBatch
from pose2mesh.adaptation.image_target import FEWEST_CONFIDENT, ImageTarget, crop_person
from pose2mesh.adaptation.materials import Photos, load_anny_backbone
from pose2mesh.adaptation.method import make_adam
from pose2mesh.adaptation.run import make_methods, run_adaptation
from pose2mesh.body_models import AnnyBody, load_anny_body
from pose2mesh.evaluation.evaluator import PROTOCOL_JOINTS, measure
from pose2mesh.evaluation.images import predict_bodies, predict_images
from pose2mesh.geometry.placement import person_size
from pose2mesh.geometry.weak_perspective import project_to_crop
from pose2mesh.losses.images import full_loss
from pose2mesh.metrics import MetricAccumulator
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.networks.spin import ImageBackbone
from pose2mesh.skeletons import COCO_ROWS, joint_set
from pose2mesh.synthesis.bodies import seeded_generator
from pose2mesh.training.optimization import descend
from pose2mesh.training.run_folder import Stateful
from tools.studies.domain_gap import DomainGap, GapPart, draw_gap
from tools.studies.label_bench import depth_errors, joint_shares
from tools.studies.picture_gap import gap_pictures

_NOTHING = np.zeros(0, np.int64)


class GapCrops(NamedTuple):
    """Crops around detected keypoints. `exact`, `truth` and `subjects` are for measuring and for the oracle."""

    target: ImageTarget
    exact: Tensor  # [N, 17, 2] half sides
    truth: BodyParameters
    subjects: list[str]


class ImageGapBench:
    """One image backbone before one gap."""

    def __init__(self, weights: str, gap: DomainGap, adapt: AdaptConfig, test_people: int):
        self.source, _ = load_anny_backbone(weights)  # copied for every run, never changed
        body, least = load_anny_body(), adapt.target.least_confidence
        self.decoder = AnnyDecoder(body)
        self.labeled = gap_crops(body, draw_gap(body, gap, "adapt", _NOTHING), gap.seed, least)
        self.test = gap_crops(body, _spread(draw_gap(body, gap, "test", _NOTHING), test_people), gap.seed + 1, least)

    def measure_row(self, method: str, config: AdaptConfig) -> dict[str, float]:
        """Adapt a copy, then measure it on people whom the adaptation has not seen."""
        network = copy.deepcopy(self.source)
        material = Photos(network, {}, self.labeled.target, config)
        if method == "oracle":
            run_adaptation(material, [LabeledPictures(network, self.labeled, config)])
        elif method != "source":
            run_adaptation(material, make_methods(material, method))
        return self._errors(network.eval(), config)

    def _errors(self, network: ImageBackbone, config: AdaptConfig) -> dict[str, float]:
        accumulator, points = MetricAccumulator(), []
        images = torch.from_numpy(self.test.target.images)
        for rows, found, camera in predict_bodies(network, images, self.decoder, config.precision):
            true = self.decoder(BodyParameters(*(tensor[rows] for tensor in self.test.truth)))
            errors = measure(found, true.joints, true.vertices)
            errors |= depth_errors(found.joints[:, PROTOCOL_JOINTS], true.joints[:, PROTOCOL_JOINTS])
            accumulator.update(errors, self.test.subjects[rows])
            points.append(project_to_crop(found.joints[:, COCO_ROWS], camera))
        summary, found2d = accumulator.summary(), torch.cat(points)
        means = {name: value for name, value in summary.items() if name not in ("count", "groups")}
        everywhere = torch.ones_like(self.test.exact[..., 0], dtype=torch.bool)
        shares = joint_shares(found2d, self.test.exact, everywhere, joint_set("coco17").joints)
        return {**means, **shares, "reprojection": _reprojection(found2d, self.test.target.keypoints)}


class LabeledPictures:
    """The oracle: the network learns from the target's own labels."""

    def __init__(self, network: ImageBackbone, labeled: GapCrops, config: AdaptConfig):
        self.network, self.labeled, self.config = network, labeled, config
        self.weights: ImageConfig = config.dapa.image
        self.decoder = AnnyDecoder(load_anny_body(), _NOTHING)
        self.camera = crop_cameras_of(self.decoder.joints(labeled.truth)[:, COCO_ROWS], labeled.exact)
        self.optimizer = make_adam(list(network.parameters()), config.learning_rate)

    def step(self, index: int, source: None, target: PhotoBatch) -> dict[str, float] | None:
        """A supervised step on labeled people of the target; `target` is not looked at."""
        images, generator = self.labeled.target.images, seeded_generator(self.config.seed, 31, index)
        rows = torch.randint(len(images), (self.config.batch_size,), generator=generator)
        found = predict_images(self.network, torch.from_numpy(images[rows.numpy()]), self.config.precision)
        truth = BodyParameters(*(tensor[rows] for tensor in self.labeled.truth))
        loss = full_loss(found, self.decoder.joints(truth), truth, self.camera[rows], self.decoder, self.weights)
        is_done = descend(loss, [self.optimizer], self.config.clip_norm)
        return {"supervised": float(loss.detach())} if is_done else None

    def parts(self) -> dict[str, Stateful]:
        return {"optimizer": self.optimizer}


def gap_crops(body: AnnyBody, part: GapPart, seed: int, least_confidence: float) -> GapCrops:
    """Draw and cut out the people of a part who have enough confident joints."""
    crops, points, exact, kept = [], [], [], []
    for row, picture in enumerate(gap_pictures(body, part, seed)):
        confidence = np.where(picture.keypoints[:, 2] >= least_confidence, picture.keypoints[:, 2], 0)  # [17]
        if (confidence > 0).sum() < FEWEST_CONFIDENT:
            continue
        crop, keypoints, inside = crop_person(picture.image, picture.keypoints[:, :2], confidence)
        crops.append(crop)
        points.append(keypoints)
        exact.append(inside(picture.exact))
        kept.append(row)
    target = ImageTarget(np.stack(crops), torch.from_numpy(np.stack(points)))
    truth = BodyParameters(part.truth.rotations[kept], part.truth.betas[kept])
    return GapCrops(target, torch.from_numpy(np.stack(exact)).float(), truth, [part.subjects[row] for row in kept])


def crop_cameras_of(joints: Tensor, points: Tensor) -> Tensor:
    """The cameras [B,3] that bring joints [B,J,3] m closest to points [B,J,2] in half sides, without perspective."""
    middle, center = joints[..., :2].mean(1, keepdim=True), points.mean(1, keepdim=True)  # [B, 1, 2]
    spread = joints[..., :2] - middle
    scale = (spread * (points - center)).sum((1, 2)) / spread.square().sum((1, 2))  # [B]
    return torch.cat([scale[:, None], center[:, 0] / scale[:, None] - middle[:, 0]], 1)


def _spread(part: GapPart, count: int) -> GapPart:
    """`count` people, evenly over the part."""
    rows = np.unique(np.linspace(0, len(part.keypoints) - 1, count).round().astype(int))
    truth = part.truth._replace(**{name: getattr(part.truth, name)[rows] for name in part.truth._fields})
    subjects = [part.subjects[row] for row in rows]
    return GapPart(part.keypoints[rows], part.groups[rows], subjects, truth, part.distance[rows])


def _reprojection(found: Tensor, keypoints: Tensor) -> float:
    """Mean distance of projected joints [N,17,2] from detected ones [N,17,3], in sizes of the person."""
    weights = keypoints[..., 2]  # [N, 17]
    errors = (found - keypoints[..., :2]).norm(dim=-1) / person_size(keypoints[..., :2], weights)[:, None]
    return float((weights * errors).sum() / weights.sum())
