"""Weights: build, load and save networks."""

from pose2mesh.checkpoints.build import build_network, finest_vertex_ids
from pose2mesh.checkpoints.weights import (
    find_weights,
    load_network,
    load_network_or_lifter,
    read_weights,
    save_tensors,
    save_weights,
)

__all__ = [
    "build_network",
    "find_weights",
    "finest_vertex_ids",
    "load_network",
    "load_network_or_lifter",
    "read_weights",
    "save_tensors",
    "save_weights",
]
