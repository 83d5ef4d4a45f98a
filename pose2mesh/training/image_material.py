"""What an image backbone learns from: rendered bodies, with a new background, colors and side on every use."""

from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Generator, Tensor

from pose2mesh.augmentation.poses import PoseAugmentation
from pose2mesh.augmentation.ranges import Fraction, Positive
from pose2mesh.body_models import AnnyBody
from pose2mesh.checkpoints.image_backbone import ANNY
from pose2mesh.losses.images import ImageLoss
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.networks.resnet import STAGES
from pose2mesh.synthesis.bodies import SyntheticBodies, pose_pool
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
from pose2mesh.training.samplers import mixture_of

_UNSEEN_SEED = 900_000  # added to the seed of validation pictures
_AS_RECORDED = PoseAugmentation(*[0.0] * 10)


class ImageTrainConfig(RunConfig):
    """An image backbone and how it is trained; its sizes are those of ResNet-50 and SPIN unless told otherwise."""

    task: Literal["image_backbone"]
    stages: tuple[int, ...] = Field(default=STAGES, min_length=1)  # blocks of each
    channels: int = Field(default=64, ge=4)  # channels after the first convolution
    width: int = Field(default=1024, ge=8)  # of the head
    dropout: Fraction = 0.5  # of the head
    shrink: int = Field(default=1, ge=1, le=4)  # pixels a side that become one before the network sees them
    data: DataConfig = DataConfig()
    validation: tuple[str, ...] = ("mocap_val.npz",)  # motion, drawn in the same look
    pictures: int = Field(default=20000, ge=1)
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

    def network(self) -> dict[str, Any]:
        """Settings of the network, as its weights file carries them."""
        sizes = {"base": self.channels, "width": self.width, "dropout": self.dropout, "shrink": self.shrink}
        return {**ANNY, "stages": list(self.stages), **sizes}


class ImageMaterial:
    """Pictures made once, and batches of them."""

    def __init__(self, config: ImageTrainConfig, body: AnnyBody):
        """Renders; raises MissingFileError and FormatError for motion that is not there, before it does."""
        self.config, self.body = config, body
        pool = training_poses(config.data, config.seed)
        self.unseen = pose_pool(config.validation, config.data.distinct_radians)
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
        samples = SyntheticBodies(
            self.body, pool, mixture_of(data), vertex_ids=every_vertex, batch_size=CHUNK, seed=seed
        )
        return render_pictures(BodyPictureChunks(samples, self.config.crop, seed), count, data.workers)


def before(pictures: BodyPictures, around: Tensor) -> Tensor:
    """The bodies before backgrounds [N,224,224,3]."""
    return torch.where(pictures.coverage[..., None], pictures.colors, around)
