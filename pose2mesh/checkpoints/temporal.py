"""Temporal networks on disk."""

from pathlib import Path
from typing import Any

from pose2mesh.checkpoints.build import BodyNetwork, output_set
from pose2mesh.checkpoints.weights import fill, read_weights
from pose2mesh.errors import InputError
from pose2mesh.kinds import BODY
from pose2mesh.networks.abilities import abilities_of
from pose2mesh.networks.temporal import TemporalNetwork
from pose2mesh.skeletons import MOTION_BONES, joint_set

KIND = "temporal"
SHIPPED = "anny-motion"


def temporal_settings(frame: dict[str, Any], width: int, layers: int) -> dict[str, Any]:
    """Settings of a temporal network over the answers of a frame network with the settings `frame`."""
    sets = {"joint_set": frame["joint_set"], "output_set": output_set(frame, BODY)}
    return {"kind": KIND, "body": "anny-body", **sets, "width": width, "layers": layers}


def build_temporal(settings: dict[str, Any], num_shape: int = 16) -> TemporalNetwork:
    """With fresh weights."""
    inputs, outputs = (len(joint_set(settings[name])) for name in ("joint_set", "output_set"))
    return TemporalNetwork(inputs, outputs, len(MOTION_BONES), num_shape, settings["width"], settings["layers"])


def load_temporal(name_or_path: str | Path = SHIPPED) -> TemporalNetwork:
    """In evaluation mode. Raises MissingFileError, FormatError, and InputError for other weights."""
    tensors, settings = read_weights(name_or_path)
    if settings.get("kind") != KIND:
        raise InputError(f"{name_or_path} holds no network over time; the shipped one is {SHIPPED}")
    return fill(lambda: build_temporal(settings), tensors, name_or_path).requires_grad_(False)


def temporal_of(network: BodyNetwork) -> TemporalNetwork | None:
    """The shipped network over time for a frame network's answers; None where it does not know such answers."""
    abilities = abilities_of(network)
    if not abilities.is_uncertain:
        return None
    settings = read_weights(SHIPPED)[1]
    outputs = joint_set(settings["output_set"]).joints
    fits = (network.joint_set, abilities.body) == (settings["joint_set"], settings["body"])
    fits = fits and tuple(network.output_joint_names) == outputs
    return load_temporal() if fits else None
