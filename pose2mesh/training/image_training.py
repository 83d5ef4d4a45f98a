"""Train an image backbone on rendered bodies: pictures made once, new backgrounds, colors and mirror images each time.

Step `s` sees a batch that is a function of (seed, s).
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints import save_weights
from pose2mesh.checkpoints.image_backbone import new_image_backbone
from pose2mesh.evaluation.images import measure_images, predict_seen
from pose2mesh.losses.images import full_loss
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.synthesis.bodies import seeded_generator
from pose2mesh.training.config import StageConfig
from pose2mesh.training.distributed import Processes
from pose2mesh.training.image_material import ImageMaterial, ImageTrainConfig, SeenMaterial
from pose2mesh.training.optimization import descend, learning_rate, make_optimizer
from pose2mesh.training.run_folder import Stateful
from pose2mesh.training.run_loop import Parts, Task

_NOTHING = np.zeros(0, np.int64)  # a decoder of joints needs no vertices


class ImageTraining(Task):
    """One run."""

    def __init__(self, config: ImageTrainConfig, group: Processes):
        self.config, self.device = config, group.device
        self.network = new_image_backbone(config.network()).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.body = load_anny_body()
        self.decoder = AnnyDecoder(self.body, _NOTHING).to(self.device)
        self.stage = StageConfig(
            name="image backbone", steps=config.steps, batch_size=config.batch_size,
            learning_rate=config.learning_rate, warmup=config.warmup,
        )  # fmt: skip
        self.stages = (self.stage,)
        self.optimizer = make_optimizer(self.stage, list(self.network.parameters()))
        self.pictures = ImageMaterial(config, self.body)
        network: Any = self.network
        self.seen = SeenMaterial(self.pictures, network) if config.eyes == "landmarks" else None

    def step(self, index: int, batch: None) -> Parts | None:
        generator = seeded_generator(self.config.seed, index, 61)
        seen, truth, camera = (self.seen or self.pictures).batch(generator, self.device)
        if self.seen is None:
            seen = self.network.look(seen)
        for settings in self.optimizer.param_groups:
            settings["lr"] = learning_rate(self.stage, index)
        self.network.train()
        found = predict_seen(self.network, seen, self.config.precision)
        loss = full_loss(found, self.decoder.joints(truth), truth, camera, self.decoder, self.config.loss)
        return {"loss": loss.detach()} if descend(loss, [self.optimizer], self.config.clip_norm) else None

    def parts(self) -> dict[str, Stateful]:
        return {"network": self.network, "optimizer": self.optimizer}

    def save_weights(self, path: Path) -> nn.Module:
        save_weights(path, self.network, self.config.network())
        return self.network

    def records(self) -> dict[str, dict[str, Any]]:
        images, truth = self.pictures.held_out()
        decoder = AnnyDecoder(self.body)
        return {"metrics.json": measure_images(self.network.eval(), images, decoder, truth, self.config.precision)}
