"""An image backbone's adaptation: both steps of DAPA as a task of the run loop, weights on disk."""

from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from pose2mesh.adaptation.config import AdaptConfig
from pose2mesh.adaptation.image_dapa import ImageAugmentation, freeze_norms
from pose2mesh.adaptation.image_target import load_image_target
from pose2mesh.checkpoints import save_weights
from pose2mesh.checkpoints.image_backbone import load_image_backbone
from pose2mesh.errors import InputError
from pose2mesh.networks.spin import ImageBackbone
from pose2mesh.training.config import StageConfig
from pose2mesh.training.distributed import Processes
from pose2mesh.training.run_folder import Stateful
from pose2mesh.training.run_loop import Parts, Task, carry_out


class ImageSteps(Protocol):
    """One way to change an image backbone."""

    optimizer: torch.optim.Optimizer

    def step(self, index: int) -> dict[str, float] | None:
        """Change it once; the losses, or None where one was not finite. All that is random follows from `index`."""
        ...


class Losses(list[dict[str, float]]):
    """Of every step that was taken."""

    def state_dict(self) -> dict[str, Any]:
        return {"losses": list(self)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self[:] = state["losses"]


class ImageAdaptation(Task):
    """All steps of one way; the network ends in evaluation mode."""

    def __init__(self, network: ImageBackbone, settings: dict[str, Any], steps: ImageSteps, config: AdaptConfig):
        self.network, self.settings, self.steps, self.losses = network, settings, steps, Losses()
        self.stages = (StageConfig(name="pictures", steps=config.steps, batch_size=config.batch_size),)

    def begin(self, stage: int) -> None:
        freeze_norms(self.network.train())

    def step(self, index: int, batch: None) -> Parts | None:
        parts = self.steps.step(index)
        self.losses += [parts] if parts else []
        return parts

    def end(self) -> None:
        self.network.eval()

    def parts(self) -> dict[str, Stateful]:
        return {"network": self.network, "optimizer": self.steps.optimizer, "losses": self.losses}

    def save_weights(self, path: Path) -> nn.Module:
        save_weights(path, self.network, self.settings)
        return self.network

    def records(self) -> dict[str, dict[str, Any]]:
        return {"adaptation.json": {"losses": list(self.losses)}}


def adapt_images(
    config: AdaptConfig, method: str, output: str | Path | None = None, resume: bool = False, overwrite: bool = False
) -> tuple[Path, list[dict[str, float]]]:
    """Adapt to the photos of `config.target`; returns the weights file and the losses of every step.

    Raises InputError for another method than dapa, a body that synthesis does not know, or photos that do not serve,
    before any step. Resumes, overwrites and raises as `carry_out` does.
    """
    check_method(method)
    config = config.into(output)

    def make(_group: Processes) -> ImageAdaptation:
        network, settings = load_anny_backbone(config.weights)
        target = load_image_target(config.target)
        return ImageAdaptation(network, settings, ImageAugmentation(network, target, config), config)

    task, weights = carry_out(config, make, resume=resume, overwrite=overwrite, method=method)
    return weights, list(task.losses)


def check_method(method: str) -> None:
    """Raise InputError for what only keypoint features can be adapted by."""
    if method != "dapa":
        raise InputError(f"--method {method}: an image backbone has no keypoint features to adapt; give --method dapa")


def load_anny_backbone(weights: str) -> tuple[ImageBackbone, dict[str, Any]]:
    """(network, its settings). Raises InputError for a body that synthesis does not know."""
    network, settings = load_image_backbone(weights)
    if settings["body"] != "anny-body":
        raise InputError(
            f"{weights} predicts {settings['body']}; pictures are synthesized of anny-body alone. Train a backbone of "
            "anny-body first"
        )
    return network, settings
