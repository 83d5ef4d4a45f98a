"""Image backbones on disk: the published SPIN checkpoint by its own names, and ours with their sizes inside."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pose2mesh.checkpoints.official import read_official
from pose2mesh.checkpoints.weights import fill, read_weights
from pose2mesh.detectors.landmark_features import FEATURES, NETWORK, landmark_features
from pose2mesh.detectors.sessions import manifest
from pose2mesh.errors import FormatError
from pose2mesh.networks.body_decoders import IDENTITY_6D, UPRIGHT_6D
from pose2mesh.networks.spin import STAGES, FrozenSpin, ImageBackbone, Spin
from pose2mesh.skeletons import MOTION_BONES

KIND = "spin"
_PUBLISHED_SUFFIXES = (".pt", ".pth")
_PUBLISHED = {"kind": KIND, "body": "smpl-neutral", "rotations": 24, "shapes": 10}
ANNY = {"kind": KIND, "body": "anny-body", "rotations": len(MOTION_BONES), "shapes": 16}


def on_landmarks() -> dict[str, str]:
    """The settings that say: behind the shipped landmark network."""
    return {"eyes": manifest()[NETWORK]["sha256"]}


def new_image_backbone(settings: dict[str, Any]) -> ImageBackbone:
    """A network with fresh weights; sizes that `settings` do not give are those of ResNet-50 and SPIN.

    Raises FormatError for `eyes` other than the landmark network that ships.
    """
    rest = [UPRIGHT_6D] * settings["rotations"]
    if settings["body"] != "anny-body":  # rotations against the parent: only the root turns to the camera
        rest = [UPRIGHT_6D] + [IDENTITY_6D] * (settings["rotations"] - 1)
    if "eyes" not in settings:
        sizes = {name: settings[name] for name in ("base", "width", "dropout") if name in settings}
        return Spin(torch.tensor(rest), settings["shapes"], stages=tuple(settings.get("stages", STAGES)), **sizes)
    if settings["eyes"] != on_landmarks()["eyes"]:
        raise FormatError(
            f"an image backbone was trained behind another {NETWORK}.onnx than this package's; train anew"
        )
    sizes = {name: settings[name] for name in ("width", "dropout")}
    return FrozenSpin(landmark_features, FEATURES, torch.tensor(rest), settings["shapes"], **sizes)


def load_image_backbone(path: str | Path) -> tuple[ImageBackbone, dict[str, Any]]:
    """(network in evaluation mode, its settings). A .pt or .pth file is read as the published SPIN checkpoint.

    Raises MissingFileError, FormatError.
    """
    tensors, settings = _read(Path(path))
    if settings.get("kind") != KIND:
        raise FormatError(f"{path} does not hold an image backbone")
    return fill(lambda: new_image_backbone(settings), tensors, path), settings


def is_image_backbone(path: str | Path) -> bool:
    """Whether weights (name or path) are an image backbone's."""
    return Path(path).suffix in _PUBLISHED_SUFFIXES or read_weights(path)[1].get("kind") == KIND


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    if path.suffix not in _PUBLISHED_SUFFIXES:
        return read_weights(path)
    tensors = read_official(path, "model", "SPIN")
    return {name: value for name, value in tensors.items() if not name.startswith("smpl.")}, _PUBLISHED
