"""Measure a network by the mocap protocol (docs/results.md)."""

from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from pose2mesh.checkpoints.build import BodyNetwork
from pose2mesh.datasets.mocap import MocapProtocol
from pose2mesh.metrics import MetricAccumulator, mpjpe, mpvpe, pa_mpjpe, pa_mpvpe
from pose2mesh.networks.prediction import BodyPrediction, MeshPrediction
from pose2mesh.training.objective import keypoints_in

# The protocol's joints: COCO-17 and the pelvis, which is joint 17 of COCO-19; the neck (18) is left out.
PROTOCOL_JOINTS = slice(0, 18)


def evaluate(
    network: BodyNetwork,
    protocol: MocapProtocol,
    *,
    batch_size: int = 64,
    device: str | torch.device = "cpu",
    progress: bool = False,
) -> dict[str, Any]:
    """{"clean": {...}, "noisy": {...}} in millimetres, means over samples, with the subjects as groups."""
    accumulators = {"clean": MetricAccumulator(), "noisy": MetricAccumulator()}
    with torch.inference_mode():
        for batch in tqdm(protocol.batches(batch_size), disable=not progress, desc="test", unit="batch"):
            joints, vertices = batch.joints[:, PROTOCOL_JOINTS].to(device), batch.vertices.to(device)
            for name, accumulator in accumulators.items():
                predicted = network(keypoints_in(getattr(batch, name), network.joint_set).to(device))
                accumulator.update(measure(predicted, joints, vertices), batch.groups)
    return {name: accumulator.summary() for name, accumulator in accumulators.items()}


def measure(predicted: MeshPrediction | BodyPrediction, joints: Tensor, vertices: Tensor) -> dict[str, Tensor]:
    """Per-sample errors [B] in metres."""
    predicted_joints = predicted.joints[:, PROTOCOL_JOINTS]
    return {
        "pa_mpjpe": pa_mpjpe(predicted_joints, joints),
        "mpjpe": mpjpe(predicted_joints, joints),
        "pa_mpvpe": pa_mpvpe(predicted.vertices, vertices),
        "mpvpe": mpvpe(predicted.vertices, vertices),
    }
