"""The loop of an image backbone's adaptation: both steps of DAPA, weights on disk."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from tqdm import tqdm

from pose2mesh.adaptation.config import AdaptConfig
from pose2mesh.adaptation.image_dapa import ImageAugmentation, freeze_norms
from pose2mesh.adaptation.image_target import load_image_target
from pose2mesh.checkpoints.image_backbone import load_image_backbone, save_image_backbone
from pose2mesh.errors import InputError, MachineError
from pose2mesh.networks.spin import Spin
from pose2mesh.paths import write_with
from pose2mesh.training.state import versions

_MOST_BAD_STEPS = 10


class ImageSteps(Protocol):
    """One way to change an image backbone."""

    def step(self) -> dict[str, float] | None:
        """Change it once; the losses, or None where one was not finite."""
        ...


def adapt_images(config: AdaptConfig, method: str, output: str | Path | None = None) -> tuple[Path, list[dict]]:
    """Adapt to the photos of `config.target`; returns the weights file and the losses of every step.

    Raises InputError for another method than dapa, a body that synthesis does not know, or photos that do not serve,
    before any step; MachineError after ten steps in a row that were not finite.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    check_method(method)
    network, settings = load_anny_backbone(config.weights)
    limits = config.target
    target = load_image_target(limits.images, limits.keypoints, limits.joint_set, limits.least_confidence)
    losses = take_steps(network, lambda: ImageAugmentation(network, target, config), config, "dapa, pictures")
    folder = Path(output or config.output)
    save_image_backbone(folder / "weights.safetensors", network, settings)
    record = {"method": method, "config": config.model_dump(mode="json"), "versions": versions(), "losses": losses}
    content = json.dumps(record, indent=1).encode()
    write_with(folder / "adaptation.json", lambda stream: stream.write(content))
    return folder / "weights.safetensors", losses


def check_method(method: str) -> None:
    """Raise InputError for what only keypoint features can be adapted by."""
    if method != "dapa":
        raise InputError(f"--method {method}: an image backbone has no keypoint features to adapt; give --method dapa")


def load_anny_backbone(weights: str) -> tuple[Spin, dict[str, Any]]:
    """(network, its settings). Raises InputError for a body that synthesis does not know."""
    network, settings = load_image_backbone(weights)
    if settings["body"] != "anny-body":
        raise InputError(
            f"{weights} predicts {settings['body']}; pictures are synthesized of anny-body alone. Train a backbone of "
            "anny-body first"
        )
    return network, settings


def take_steps(network: Spin, make: Callable[[], ImageSteps], config: AdaptConfig, title: str | None) -> list[dict]:
    """All steps of what `make` gives; the network ends in evaluation mode. Returns the losses of every step."""
    torch.manual_seed(config.seed)  # dropout
    steps, losses, bad = make(), [], 0
    freeze_norms(network.train())
    for step in tqdm(range(config.steps), desc=title, disable=title is None):
        parts = steps.step()
        bad = 0 if parts else bad + 1
        losses += [parts] if parts else []
        if bad >= _MOST_BAD_STEPS:
            raise MachineError(
                f"adaptation: no finite loss {bad} times in a row, last at step {step}; nothing was written"
            )
    network.eval()
    return losses
