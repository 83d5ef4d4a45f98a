"""What an image backbone learns from: rendered bodies, with a new background, colors and side on every use."""

from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor
from tqdm import tqdm

from pose2mesh.augmentation.poses import PoseAugmentation
from pose2mesh.augmentation.ranges import Fraction, Positive
from pose2mesh.body_models import AnnyBody
from pose2mesh.checkpoints.image_backbone import ANNY, on_landmarks
from pose2mesh.losses.images import ImageLoss
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.networks.spin import STAGES, FrozenSpin
from pose2mesh.synthesis.bodies import SyntheticBodies, pose_pool, seeded_generator
from pose2mesh.synthesis.pictures import (
    CHUNK,
    BodyPictureChunks,
    BodyPictures,
    CropRange,
    made_up_backgrounds,
    mirrored,
    render_pictures,
)
from pose2mesh.training.config import DataConfig, RunConfig
from pose2mesh.training.prior_poses import training_poses

_UNSEEN_SEED = 900_000  # added to the seed of validation pictures
_AS_RECORDED = PoseAugmentation(*[0.0] * 10)


class ImageTrainConfig(RunConfig):
    """An image backbone and how it is trained; its sizes are those of ResNet-50 and SPIN unless told otherwise."""

    task: Literal["image_backbone"]
    eyes: Literal["resnet", "landmarks"] = "resnet"  # what learns with the head, or the frozen landmark network
    stages: tuple[int, ...] = Field(default=STAGES, min_length=1)  # blocks of each, of a ResNet
    channels: int = Field(default=64, ge=4)  # channels after the first convolution of a ResNet
    width: int = Field(default=1024, ge=8)  # of the head
    dropout: Fraction = 0.5  # of the head
    data: DataConfig = DataConfig()
    validation: tuple[str, ...] = ("mocap2_val.npz",)  # motion, drawn in the same look
    pictures: int = Field(default=20000, ge=1)
    views: int = Field(default=8, ge=1)  # of every picture, that frozen eyes look at once
    backgrounds: int = Field(default=256, ge=1)
    validation_pictures: int = Field(default=256, ge=1)
    crop: CropRange = CropRange()
    color_noise: Fraction = 0.4  # each channel is scaled by U(1 - n, 1 + n)
    loss: ImageLoss = ImageLoss()
    steps: int = Field(default=20000, ge=1)
    batch_size: int = Field(default=64, ge=2)
    learning_rate: Positive = 5e-4
    warmup: int = Field(default=200, ge=0)
    clip_norm: Positive = 1.0
    precision: Literal["float32", "bfloat16"] = "float32"
    output: str = "runs/image_backbone"

    @model_validator(mode="after")
    def _check(self):
        """As in `TrainConfig`: pictures know no detector, and crops are their cameras."""
        if fault := self.data.unread_by_bodies("noise", "framing", "everyday_framing", "cameras", "detectors"):
            raise ValueError(f"data.{fault}")
        return self

    def network(self) -> dict[str, Any]:
        """Settings of the network, as its weights file carries them."""
        head = {"width": self.width, "dropout": self.dropout}
        own = on_landmarks() if self.eyes == "landmarks" else {"stages": list(self.stages), "base": self.channels}
        return {**ANNY, **own, **head}


class ImageMaterial:
    """Pictures made once, and batches of them."""

    def __init__(self, config: ImageTrainConfig, body: AnnyBody):
        """Renders; raises MissingFileError and FormatError for motion that is not there, before it does."""
        self.config, self.body = config, body
        pool = training_poses(config.data, config.seed)
        self.unseen = pose_pool(config.validation, config.data.distinct_radians, "validation")
        self.pictures = self._render(pool, config.data, config.pictures, config.seed)
        self.backgrounds = made_up_backgrounds(config.backgrounds, config.seed)

    def batch(self, generator: Generator, device: torch.device) -> tuple[Tensor, BodyParameters, Tensor]:
        """Pictures uint8 [B,224,224,3], the bodies in them and their cameras [B,3]."""
        size, noise = self.config.batch_size, self.config.color_noise
        rows = torch.randint(len(self.pictures.camera), (size,), generator=generator)
        plain = BodyPictures(*(tensor[rows] for tensor in self.pictures))
        flips = torch.rand(size, generator=generator) < 0.5
        for tensor, flipped in zip(plain, mirrored(BodyPictures(*(t[flips] for t in plain))), strict=True):
            tensor[flips] = flipped
        around = self.backgrounds[torch.randint(len(self.backgrounds), (size,), generator=generator)]
        factors = 1 + noise * (2 * torch.rand(size, 1, 1, 3, generator=generator) - 1)
        images = (before(plain, around) * factors).clamp_(0, 255).to(torch.uint8)
        _, _, rotations, betas, camera = (tensor.to(device) for tensor in plain)
        return images.to(device), BodyParameters(rotations, betas), camera

    def held_out(self) -> tuple[Tensor, BodyParameters]:
        """Unseen motion as recorded, in the look that was trained on: pictures [N,224,224,3] and bodies."""
        config, seed = self.config, _UNSEEN_SEED + self.config.seed
        recorded = config.data.model_copy(update={"poses": _AS_RECORDED})
        pictures = self._render(self.unseen, recorded, config.validation_pictures, seed)
        images = before(pictures, made_up_backgrounds(config.validation_pictures, seed))
        return images, BodyParameters(pictures.rotations, pictures.betas)

    def _render(self, pool: Tensor, data: DataConfig, count: int, seed: int) -> BodyPictures:
        every_vertex = np.arange(len(self.body.v_template))
        samples = SyntheticBodies(self.body, pool, data, vertex_ids=every_vertex, batch_size=CHUNK, seed=seed)
        return render_pictures(BodyPictureChunks(samples, self.config.crop, seed), count, data.workers)


class SeenMaterial:
    """What frozen eyes saw in `views` views of every picture, kept in memory (5 kB each), and batches of it."""

    def __init__(self, material: ImageMaterial, network: FrozenSpin):
        config = material.config
        count, cpu = -(-config.pictures * config.views // config.batch_size), torch.device("cpu")
        parts = []
        for index in tqdm(range(count), desc="views", unit_scale=config.batch_size, unit="view"):
            images, truth, camera = material.batch(seeded_generator(config.seed, index, 62), cpu)
            parts.append((network.look(images), *truth, camera))
        self.seen, *self.truth, self.camera = (torch.cat(column) for column in zip(*parts, strict=True))
        self.batch_size = config.batch_size
        network.standardize(self.seen)

    def batch(self, generator: Generator, device: torch.device) -> tuple[Tensor, BodyParameters, Tensor]:
        """What was seen [B,F], the bodies and their cameras [B,3]."""
        rows = torch.randint(len(self.seen), (self.batch_size,), generator=generator)
        truth = BodyParameters(*(tensor[rows].to(device) for tensor in self.truth))
        return self.seen[rows].to(device), truth, self.camera[rows].to(device)


def before(pictures: BodyPictures, around: Tensor) -> Tensor:
    """The bodies before backgrounds [N,224,224,3]."""
    return torch.where(pictures.coverage[..., None], pictures.colors, around)
