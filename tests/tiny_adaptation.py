"""Small networks of both kinds and a target to adapt them to, in memory or as files."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from tiny_network import tiny_settings
from tiny_pack import write_pack

from pose2mesh.adaptation import AdaptConfig
from pose2mesh.checkpoints import build_network, save_weights
from pose2mesh.training.config import NetworkConfig


def network_settings(kind: str) -> dict[str, Any]:
    """The `network` section of a small graph (`compact`) or parameter network (`key2mesh`)."""
    small = {**tiny_settings(), "kind": kind, "lifter": {"width": 32, "blocks": 1}}
    if kind != "compact":
        del small["mesh"]
    return NetworkConfig.model_validate(small).model_dump(mode="json")


def write_network(path: Path, kind: str) -> Path:
    torch.manual_seed(0)
    settings = network_settings(kind)
    save_weights(path, build_network(settings), settings)
    return path


def people(count: int = 40, seed: int = 0) -> np.ndarray:
    """Keypoints [P,17,3] in pixels: a crude standing figure, jittered and scaled."""
    rng = np.random.default_rng(seed)
    side = np.array([0, 1, -1, 2, -2, 6, -6, 9, -9, 10, -10, 4, -4, 4, -4, 4, -4])
    height = np.array([0, -1, -1, 0, 0, 8, 8, 18, 18, 27, 27, 28, 28, 43, 43, 58, 58])
    figure = 4.0 * np.stack([side, height], 1)
    points = figure * rng.uniform(0.5, 2, (count, 1, 1)) + rng.normal(0, 6, (count, 17, 2)) + 300
    return np.concatenate([points, rng.uniform(0.4, 1, (count, 17, 1))], -1).astype(np.float32)


def adapt_config(folder: Path, kind: str = "key2mesh", **changes: Any) -> AdaptConfig:
    """A run of a few small steps on files in `folder`, which are written unless they are there."""
    weights, target, pack = folder / f"{kind}.safetensors", folder / "target.npz", folder / "pack.npz"
    if not weights.is_file():
        write_network(weights, kind)
    if not target.is_file():
        np.savez(target, keypoints=people())
    if not pack.is_file():
        write_pack(pack)
    settings = {
        "weights": str(weights),
        "source": {"motion": [str(pack)], "distinct_radians": 0.0},
        "target": {"keypoints": str(target)},
        "key2mesh": {"hidden": 16, "critic_steps": 2},
        "steps": 6, "batch_size": 8, "validate_every": 3, "learning_rate": 1e-3,
        "output": str(folder / "adapted"), "threads": 1, "device": "cpu",
        **changes,
    }  # fmt: skip
    return AdaptConfig.model_validate(settings)
