"""What a network is adapted to: keypoints, through its features, or photos, through all of an image backbone."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh.adaptation.adversarial import AdversarialAdaptation
from pose2mesh.adaptation.backbones import Backbone, load_backbone
from pose2mesh.adaptation.config import AdaptConfig
from pose2mesh.adaptation.dapa import KeypointAugmentation
from pose2mesh.adaptation.image_dapa import ImageAugmentation, PhotoBatch, freeze_norms
from pose2mesh.adaptation.image_target import ImageTarget, load_image_target
from pose2mesh.adaptation.method import Method, held_out_error
from pose2mesh.adaptation.target import TargetSet, load_target
from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints.image_backbone import load_image_backbone
from pose2mesh.errors import InputError
from pose2mesh.losses.targets import Batch
from pose2mesh.networks.spin import ImageBackbone
from pose2mesh.synthesis.batches import batches
from pose2mesh.synthesis.bodies import SyntheticBodies, seeded_generator
from pose2mesh.training.prior_poses import training_poses


class Material(ABC):
    """A network and the target it is adapted to, as an adaptation sees them."""

    what: ClassVar[str]  # is adapted, for messages
    methods: ClassVar[dict[str, tuple[Callable[..., Method], ...]]]  # what `--method` names: those that take turns
    unread: ClassVar[tuple[str, ...]]  # settings that only the other material has a use for
    backbone: Any  # with `target` and `config` what methods are made of
    target: Any
    config: AdaptConfig
    network: nn.Module  # as it is saved
    settings: dict[str, Any]  # of its weights file
    adapted: nn.Module  # the part of the network that changes

    @abstractmethod
    def draw(self, index: int, source: Any) -> tuple[Any, Any]:
        """Source samples and a batch of the target, a function of the step's index."""

    def source(self, start: int) -> Iterator[Any]:
        """Source samples of the steps from `start` on, where there are any."""
        return iter(lambda: None, 0)

    def arithmetic(self) -> AbstractContextManager[Any]:
        """Around a step."""
        return nullcontext()

    def held_out_error(self) -> float | None:
        """Of the people that no step sees, in sizes of the person; None where nobody is held out."""
        return None


class Keypoints(Material):
    """2D keypoints of people; the features that a network has of them are adapted."""

    what = "a network of keypoints"
    methods: ClassVar = {
        "key2mesh": (AdversarialAdaptation,),
        "dapa": (KeypointAugmentation,),
        "both": (AdversarialAdaptation, KeypointAugmentation),
    }
    unread = ("target.images", "dapa.image")

    def __init__(
        self, backbone: Backbone, target: TargetSet, config: AdaptConfig, samples: SyntheticBodies | None = None
    ):
        """`samples` are those of `source_samples`, for several runs made once."""
        self.backbone, self.target, self.config = backbone, target, config
        self.samples = samples or source_samples(backbone, config)
        self.network, self.settings, self.adapted = backbone.network, backbone.settings, backbone.extractor

    @classmethod
    def load(cls, config: AdaptConfig, device: torch.device) -> "Keypoints":
        backbone = load_backbone(config.weights, device)
        return cls(backbone, load_target(config.target, backbone.joint_set), config)

    def source(self, start: int) -> Iterator[Batch]:
        return batches(self.samples, start, self.config.steps, self.config.source.workers)

    def draw(self, index: int, source: Batch) -> tuple[Batch, Tensor]:
        """Labeled samples, and keypoints [B,J,3] in the network's joint set and focal lengths."""
        device = self.backbone.device
        target = self.target.draw(self.config.batch_size, self.config.seed, index)
        return Batch(*(tensor.to(device) for tensor in source)), target.to(device)

    def arithmetic(self) -> AbstractContextManager[Any]:
        kind, is_half = self.backbone.device.type, self.config.precision == "bfloat16"
        return torch.autocast(kind, dtype=torch.bfloat16, enabled=is_half)

    def held_out_error(self) -> float:
        return held_out_error(self.backbone, self.target)


class Photos(Material):
    """Photos with the keypoints of their people; all weights of an image backbone are adapted, on the CPU."""

    what = "an image backbone, which has no keypoint features"
    methods: ClassVar = {"dapa": (ImageAugmentation,)}
    unread = ("source", "target.held_out", "dapa.errors", "validate_every", "patience")

    def __init__(self, backbone: ImageBackbone, settings: dict[str, Any], target: ImageTarget, config: AdaptConfig):
        self.backbone, self.settings, self.target, self.config = backbone, settings, target, config
        self.network = self.adapted = freeze_norms(backbone.train())

    @classmethod
    def load(cls, config: AdaptConfig, device: torch.device) -> "Photos":
        return cls(*load_anny_backbone(config.weights), load_image_target(config.target), config)

    def draw(self, index: int, source: None) -> tuple[None, PhotoBatch]:
        generator = seeded_generator(self.config.seed, 17, index)
        images, keypoints = self.target.draw(self.config.batch_size, generator)
        return None, PhotoBatch(images, keypoints, generator, np.random.default_rng((self.config.seed, index)))


def source_samples(backbone: Backbone, config: AdaptConfig) -> SyntheticBodies:
    """Labeled source samples; batch `i` is a function of (seed, i)."""
    data = config.source
    return SyntheticBodies(
        load_anny_body(),
        training_poses(data, config.seed),
        data,
        vertex_ids=backbone.vertex_ids,
        batch_size=config.batch_size,
        seed=5000 + config.seed,
    )


def load_anny_backbone(weights: str) -> tuple[ImageBackbone, dict[str, Any]]:
    """(network, its settings). Raises InputError for a body that synthesis does not know."""
    network, settings = load_image_backbone(weights)
    if settings["body"] != "anny-body":
        raise InputError(
            f"{weights} predicts {settings['body']}; pictures are synthesized of anny-body alone. Train a backbone of "
            "anny-body first"
        )
    return network, settings
