"""Measure a network by a protocol: recorded motion, everyday poses, gestures of a hand, a mesh (docs/protocols.md)."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from pose2mesh.checkpoints.build import BodyNetwork
from pose2mesh.metrics import MetricAccumulator, hand_errors, knee_flexion, mpjpe, mpvpe, pa_mpjpe, pa_mpvpe
from pose2mesh.networks.prediction import Prediction
from pose2mesh.skeletons import PELVIS_ROW, joint_set
from pose2mesh.synthesis.detections import conversion
from pose2mesh.synthesis.mocap import ProtocolBatch
from pose2mesh.synthesis.upright import UprightProtocol

# COCO-17 and the pelvis, which comes next in COCO-19; the neck is left out.
PROTOCOL_JOINTS = slice(PELVIS_ROW + 1)
SURE_JOINTS = slice(PELVIS_ROW)  # without the pelvis, which is the origin and so always right


def evaluate(
    network: BodyNetwork,
    protocol: Any,
    *,
    batch_size: int = 64,
    device: str | torch.device = "cpu",
    progress: bool = False,
    on_result: Callable[[str, ProtocolBatch, Prediction], None] | None = None,
) -> dict[str, Any]:
    """{"clean": {...}, "noisy": {...}} in millimetres, means over samples, with subjects or families as groups.

    `protocol`: a MocapProtocol, UprightProtocol, HandProtocol or MeshProtocol; its `kind` says what is measured.
    `on_result` gets clean or noisy, each batch and what the network makes of it.
    """
    accumulators = {"clean": MetricAccumulator(), "noisy": MetricAccumulator()}
    with torch.inference_mode():
        for batch in shown(protocol, batch_size, progress):
            joints, vertices = batch.joints.to(device), batch.vertices.to(device)
            for name, accumulator in accumulators.items():
                predicted = network(conversion(batch.joint_set, network.joint_set)(getattr(batch, name)).to(device))
                accumulator.update(MEASURES[protocol.kind](predicted, joints, vertices), batch.groups)
                if on_result:
                    on_result(name, batch, predicted)
    return {name: accumulator.summary() for name, accumulator in accumulators.items()}


def shown(protocol: Any, batch_size: int, progress: bool) -> Iterator[ProtocolBatch]:
    """The batches of a protocol with a bar that knows how many samples there are."""
    with tqdm(total=protocol.count() if progress else 0, disable=not progress, desc="test", unit="sample") as bar:
        for batch in protocol.batches(batch_size):
            yield batch
            bar.update(len(batch.groups))


def measure(predicted: Prediction, joints: Tensor, vertices: Tensor) -> dict[str, Tensor]:
    """Per-sample errors [B] in metres, over the protocol's joints of COCO-19.

    Of networks that tell deviations also `within_one_deviation`, the share of joints that are no farther off.
    """
    errors = _errors(predicted, predicted.joints[:, PROTOCOL_JOINTS], joints[:, PROTOCOL_JOINTS], vertices)
    if predicted.deviation is not None:
        distance = (predicted.joints[:, SURE_JOINTS] - joints[:, SURE_JOINTS]).norm(dim=-1)
        errors["within_one_deviation"] = (distance <= predicted.deviation[:, SURE_JOINTS]).float().mean(1)
    return errors


def measure_hands(predicted: Prediction, joints: Tensor, vertices: Tensor) -> dict[str, Tensor]:
    """Per-sample errors [B] in metres over all 21 joints, and FreiHAND's scores in [0, 1] after alignment."""
    scores = hand_errors(predicted.joints, predicted.vertices, joints, vertices)
    del scores["auc_vertices"]  # asked for by FreiHAND's server alone
    return scores | {"mpjpe": mpjpe(predicted.joints, joints), "mpvpe": mpvpe(predicted.vertices, vertices)}


def measure_all(predicted: Prediction, joints: Tensor, vertices: Tensor) -> dict[str, Tensor]:
    """Per-sample errors [B] in metres over all joints."""
    return _errors(predicted, predicted.joints, joints, vertices)


def _errors(predicted: Prediction, predicted_joints: Tensor, joints: Tensor, vertices: Tensor) -> dict[str, Tensor]:
    return {
        "pa_mpjpe": pa_mpjpe(predicted_joints, joints),
        "mpjpe": mpjpe(predicted_joints, joints),
        "pa_mpvpe": pa_mpvpe(predicted.vertices, vertices),
        "mpvpe": mpvpe(predicted.vertices, vertices),
    }


MEASURES = {"body": measure, "hand": measure_hands, "mesh": measure_all}


def evaluate_upright(network: BodyNetwork, protocol: UprightProtocol, **settings: Any) -> dict[str, Any]:
    """{"clean": {...}, "noisy": {...}} as `evaluate`, whose settings these are, with kinds of poses as groups.

    Each total and each group also holds `knee_flexion`: {"truth": degrees, "predicted": degrees}, medians over legs.
    """
    names = joint_set("coco19").joints
    knees: dict[tuple[str, str, str], list[float]] = defaultdict(list)  # of input, group and side of the comparison

    def bend(name: str, batch: ProtocolBatch, predicted: Prediction) -> None:
        for source, points in (("truth", batch.joints), ("predicted", predicted.joints)):
            flexion = knee_flexion(points[:, : len(names)], names).tolist()  # [B, 2]
            for group, legs in zip(batch.groups, flexion, strict=True):
                knees[name, group, source] += legs

    metrics = evaluate(network, protocol, on_result=bend, **settings)
    return {name: _with_knees(name, summary, knees) for name, summary in metrics.items()}


def _with_knees(name: str, summary: dict[str, Any], knees: dict[tuple[str, str, str], list[float]]) -> dict[str, Any]:
    def medians(groups: list[str]) -> dict[str, float]:
        return {s: _median([v for g in groups for v in knees[name, g, s]]) for s in ("truth", "predicted")}

    for group, values in summary["groups"].items():
        values["knee_flexion"] = medians([group])
    return summary | {"knee_flexion": medians(list(summary["groups"]))}


def _median(values: list[float]) -> float:
    return float(torch.tensor(values).nanquantile(0.5))
