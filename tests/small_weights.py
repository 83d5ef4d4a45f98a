"""Small networks to measure on annotated datasets: fresh weights, but far from a constant."""

from pathlib import Path

import torch

from pose2mesh.checkpoints import build_network, save_weights


def write_small_weights(folder: Path, joints: str, body: str) -> Path:
    """Weights from a joint set to a body's parameters, in a file of the joint set's name that is written once."""
    path = folder / f"{joints}.safetensors"
    if not path.is_file():
        torch.manual_seed(0)
        settings = {"kind": "key2mesh", "joint_set": joints, "body": body, "lifter": {"width": 16, "blocks": 1}}
        settings |= {"parameters": {"features": "residual", "dropout": 0.0}}
        save_weights(path, build_network(settings), settings)
    return path
