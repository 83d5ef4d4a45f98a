"""The loop of an image backbone's adaptation: both steps of DAPA, weights on disk."""

import json
from pathlib import Path

import torch
from tqdm import tqdm

from pose2mesh.adaptation.config import AdaptConfig
from pose2mesh.adaptation.image_dapa import ImageAugmentation, freeze_norms
from pose2mesh.adaptation.image_target import load_image_target
from pose2mesh.checkpoints.image_backbone import load_image_backbone, save_image_backbone
from pose2mesh.errors import InputError, MachineError
from pose2mesh.paths import write_with
from pose2mesh.training.state import versions

_MOST_BAD_STEPS = 10


def adapt_images(config: AdaptConfig, method: str, output: str | Path | None = None) -> tuple[Path, list[dict]]:
    """Adapt to the photos of `config.target`; returns the weights file and the losses of every step.

    Raises InputError for another method than dapa, a body that synthesis does not know, or photos that do not serve,
    before any step; MachineError after ten steps in a row that were not finite.
    """
    if method != "dapa":
        raise InputError(f"--method {method}: an image backbone has no keypoint features to adapt; give --method dapa")
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)  # dropout
    network, settings = load_image_backbone(config.weights)
    if settings["body"] != "anny-body":
        raise InputError(
            f"{config.weights} predicts {settings['body']}; pictures are synthesized of anny-body alone. Train a "
            "backbone of anny-body first"
        )
    limits = config.target
    target = load_image_target(limits.images, limits.keypoints, limits.joint_set, limits.least_confidence)
    steps = ImageAugmentation(freeze_norms(network.train()), target, config)  # type: ignore[arg-type]
    losses, bad = [], 0
    for step in tqdm(range(config.steps), desc="dapa, pictures"):
        parts = steps.step()
        bad = 0 if parts else bad + 1
        losses += [parts] if parts else []
        if bad >= _MOST_BAD_STEPS:
            raise MachineError(
                f"adaptation: no finite loss {bad} times in a row, last at step {step}; nothing was written"
            )
    folder = Path(output or config.output)
    save_image_backbone(folder / "weights.safetensors", network, settings)
    record = {"method": method, "config": config.model_dump(mode="json"), "versions": versions(), "losses": losses}
    content = json.dumps(record, indent=1).encode()
    write_with(folder / "adaptation.json", lambda stream: stream.write(content))
    return folder / "weights.safetensors", losses
