"""Measure a network by the protocol `upright`: errors, and how far the knees are bent that it draws."""

from collections import defaultdict
from typing import Any

import torch

from pose2mesh.checkpoints.build import BodyNetwork
from pose2mesh.evaluation.evaluator import evaluate
from pose2mesh.metrics import knee_flexion
from pose2mesh.networks.prediction import Prediction
from pose2mesh.skeletons import joint_set
from pose2mesh.synthesis.mocap import ProtocolBatch
from pose2mesh.synthesis.upright import UprightProtocol


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
