"""Measure the chain of hands on pictures whose mesh is known: detector, left or right, network and camera fit."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pose2mesh.detectors import Detector, get_detector
from pose2mesh.errors import InputError
from pose2mesh.metrics import MetricAccumulator, hand_errors, mpjpe, mpvpe
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.synthesis.hand_studio import HandScene
from pose2mesh.types import Person

MEASURES = (
    *("pa_mpjpe", "mpjpe", "pa_mpvpe", "mpvpe", "f_at_5", "f_at_15", "auc", "auc_vertices"),
    *("right_side", "keypoint_error", "reprojection_error"),
)


def measure_hand_closed_loop(
    model: Pose2Mesh,
    scenes: Iterable[HandScene],
    detector: str | Detector = "auto",
    on_result: Callable[[HandScene, Person | None], None] | None = None,
) -> dict[str, Any]:
    """Recover every hand from its picture alone and compare with the truth.

    {measure: mean, ..., "detected", "false_finds", "count", "groups": {"left": {...}, "right": {...}}}: the measures of
    `measure_hand` over the hands that were found, lengths in mm; the share of those; finds per picture beyond the hand.
    `on_result` gets every scene and the hand, if found. Raises MissingDependencyError without a detector, InputError
    for weights of another mesh.
    """
    finder = get_detector(detector, "hand") if isinstance(detector, str) else detector
    accumulator = MetricAccumulator()
    unknown = {name: torch.tensor([torch.nan]) for name in MEASURES}
    for scene in scenes:
        hands = _recover(model, scene, finder)
        hand = min(hands, key=lambda h: _distance(h.keypoints, scene.truth.keypoints), default=None)
        values = unknown if hand is None else measure_hand(scene, hand)
        counts = {"detected": float(bool(hands)), "false_finds": float(max(len(hands) - 1, 0))}
        side = str(scene.truth.handedness)
        accumulator.update({**values, **{name: torch.tensor([n]) for name, n in counts.items()}}, [side])
        if on_result:
            on_result(scene, hand)
    return accumulator.summary()


def measure_hand(scene: HandScene, hand: Person) -> dict[str, Tensor]:
    """Errors [1] of one recovered hand.

    FreiHAND's measures and, without the alignment, `mpjpe` and `mpvpe` relative to the wrist, metres; `right_side` is 1
    where left and right were told apart; `keypoint_error` of the detector's visible joints and `reprojection_error` of
    the recovered ones through the fitted camera, from the true projections and in sizes of the hand's box. Raises
    InputError for a mesh of another topology.
    """
    truth = scene.truth
    if hand.vertices.shape != truth.vertices.shape or hand.joints.shape != truth.joints.shape or hand.camera is None:
        raise InputError(
            f"the network returns {len(hand.vertices)} vertices and {len(hand.joints)} joints, the scene has "
            f"{len(truth.vertices)} and {len(truth.joints)}; the closed loop needs weights of anny-hand"
        )
    size = float(np.ptp(truth.keypoints[:, :2], axis=0).max())  # pixels
    reprojected = np.column_stack([hand.camera.project(hand.joints), truth.keypoints[:, 2]])  # [21, 3]
    shares = {
        "right_side": float(hand.handedness == truth.handedness),
        "keypoint_error": _distance(hand.keypoints, truth.keypoints) / size,
        "reprojection_error": _distance(reprojected, truth.keypoints) / size,
    }
    joints, vertices, true_joints, true_vertices = (
        torch.from_numpy(np.asarray(points, np.float32))[None]
        for points in (hand.joints, hand.vertices, truth.joints, truth.vertices)
    )
    return {
        **hand_errors(joints, vertices, true_joints, true_vertices),
        "mpjpe": mpjpe(joints, true_joints),
        "mpvpe": mpvpe(vertices, true_vertices),
        **{name: torch.tensor([share]) for name, share in shares.items()},
    }


def _recover(model: Pose2Mesh, scene: HandScene, detector: Detector) -> list[Person]:
    try:
        return model.predict(scene.image, detector=detector)
    except InputError:  # no hand found, or too few visible joints
        return []


def _distance(keypoints: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance in pixels of the visible joints of keypoints [21, 3] from the truth [21, 3]."""
    seen = keypoints[:, 2] > 0
    return float(np.linalg.norm(keypoints[seen, :2] - truth[seen, :2], axis=1).mean())
