"""Measure the whole chain on pictures whose mesh is known: detector, network and camera fit together."""

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pose2mesh.detectors import Detector, get_detector
from pose2mesh.errors import InputError
from pose2mesh.evaluation.evaluator import PROTOCOL_JOINTS, measure
from pose2mesh.metrics import MetricAccumulator
from pose2mesh.networks.prediction import MeshPrediction
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.rendering import bones_of, contact_sheet, draw_keypoints, render_overlay, render_views
from pose2mesh.rendering.shading import SKIN
from pose2mesh.rendering.software import render
from pose2mesh.skeletons import JointSet, convert
from pose2mesh.synthesis.hand_studio import HandScene
from pose2mesh.synthesis.studio import StudioScene
from pose2mesh.types import Camera, Person

MEASURES = ("pa_mpjpe", "mpjpe", "pa_mpvpe", "mpvpe", "keypoint_error", "reprojection_error", "silhouette_iou")


def measure_closed_loop(
    model: Pose2Mesh,
    scenes: Iterable[StudioScene],
    detector: str | Detector = "auto",
    on_result: Callable[[StudioScene, Person | None], None] | None = None,
) -> dict[str, Any]:
    """Recover every scene from its picture alone and compare with its truth.

    {measure: mean, ..., "detected", "false_finds", "count", "groups": {group: {...}}, "median": {measure: ...}}:
    the measures of `measure_scene` over the scenes whose person was found, `*mpjpe` and `*mpvpe` in mm; the share
    of such scenes; finds per scene beyond that person. `on_result` gets every scene and the person, if found.
    Raises MissingDependencyError without a detector, InputError for weights of another mesh.
    """
    finder = get_detector(detector) if isinstance(detector, str) else detector
    accumulator = MetricAccumulator()
    found: list[dict[str, Tensor]] = []
    unknown = {name: torch.tensor([torch.nan]) for name in MEASURES}
    for scene in scenes:
        people = _recover(model, scene, finder)
        person = min(people, key=lambda p: _distance(_coco(p), scene.truth.keypoints), default=None)
        values = unknown if person is None else measure_scene(scene, person)
        found += [] if person is None else [values]
        counts = {"detected": float(bool(people)), "false_finds": float(max(len(people) - 1, 0))}
        accumulator.update({**values, **{name: torch.tensor([n]) for name, n in counts.items()}}, [scene.group])
        if on_result:
            on_result(scene, person)
    return {**accumulator.summary(), "median": _medians(found)}


def measure_scene(scene: StudioScene, person: Person) -> dict[str, Tensor]:
    """Errors [1] of one recovered person.

    The protocol's `pa_mpjpe`, `mpjpe`, `pa_mpvpe`, `mpvpe` in metres; `keypoint_error` of the detector's visible
    joints and `reprojection_error` of the recovered ones through the fitted camera, both from the true projections
    and in heights of the person's box; `silhouette_iou` in [0, 1]. Raises InputError for a mesh of another topology.
    """
    truth = scene.truth
    if person.vertices.shape != truth.vertices.shape or len(person.joints) < len(truth.joints):
        raise InputError(
            f"the network returns {len(person.vertices)} vertices and {len(person.joints)} joints, the scene has "
            f"{len(truth.vertices)} and {len(truth.joints)}; the closed loop needs weights of anny-body"
        )
    if person.camera is None:
        raise InputError("the person has no camera, so its place in the picture is unknown; fit a camera first")
    height = float(np.ptp(truth.keypoints[:, 1]))  # pixels
    points = person.camera.project(person.joints[: len(truth.keypoints)])  # [17, 2]
    reprojected = np.column_stack([points, truth.keypoints[:, 2]])  # [17, 3]
    shares = {
        "keypoint_error": _distance(_coco(person), truth.keypoints) / height,
        "reprojection_error": _distance(reprojected, truth.keypoints) / height,
        "silhouette_iou": _silhouette_iou(person, person.camera, scene.mask),
    }
    predicted = MeshPrediction(_batch(person.vertices), _batch(person.joints[: len(truth.joints)]))
    errors = measure(predicted, _batch(truth.joints)[:, PROTOCOL_JOINTS], _batch(truth.vertices))
    return {**errors, **{name: torch.tensor([share]) for name, share in shares.items()}}


def scene_pictures(scene: StudioScene | HandScene, person: Person | None) -> list[np.ndarray]:
    """Four pictures [H/2, W/2, 3]: the detected joints, the recovered mesh, from the side, and the truth."""
    if person is None:
        empty = np.full_like(scene.image, 255)
        found = [scene.image, empty, empty]
    else:
        joints = draw_keypoints(scene.image, person.keypoints, bones_of(person))
        found = [joints, render_overlay(scene.image, [person]), render_views(person, (90.0,))]
    return [_halve(picture) for picture in (*found, render_views(scene.truth, (90.0,)))]


def scene_sheet(pictures: list[list[np.ndarray]]) -> np.ndarray:
    """The pictures of several scenes, two scenes a row."""
    return contact_sheet([list(chain(*pictures[start : start + 2])) for start in range(0, len(pictures), 2)])


def _recover(model: Pose2Mesh, scene: StudioScene, detector: Detector) -> list[Person]:
    try:
        return model.predict(scene.image, detector=detector)
    except InputError:  # nobody found, or too few visible joints
        return []


def _coco(person: Person) -> np.ndarray:
    """The keypoints [17, 3] of a person in COCO-17; those of truths and of older networks are in it already."""
    if not person.keypoint_names:
        return person.keypoints
    given = JointSet("keypoints", person.keypoint_names, ())
    points, confidence = convert(person.keypoints[:, :2], person.keypoints[:, 2], given, "coco17")
    return np.column_stack([points, confidence])


def _distance(keypoints: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance in pixels of the visible joints of keypoints [17, 3] from the truth [17, 3]."""
    seen = keypoints[:, 2] > 0
    return float(np.linalg.norm(keypoints[seen, :2] - truth[seen, :2], axis=1).mean())


def _silhouette_iou(person: Person, camera: Camera, mask: np.ndarray) -> float:
    """Intersection over union of the person's outline seen by the camera and mask [H, W]."""
    body = person.vertices + camera.translation  # [V, 3]
    _, depth = render(body, person.faces, camera.focal, camera.center, (mask.shape[1], mask.shape[0]), SKIN)
    drawn = depth > 0  # [H, W]
    return float((drawn & mask).sum() / (drawn | mask).sum())


def _batch(points: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(points, np.float32))[None]


def _medians(rows: list[dict[str, Tensor]]) -> dict[str, float]:
    """Median of every measure, lengths in mm; nothing when nobody was found."""
    scale = {name: 1000 if name.endswith(("mpjpe", "mpvpe")) else 1 for name in MEASURES}
    return {name: scale[name] * float(np.median([row[name].item() for row in rows])) for name in MEASURES if rows}


def _halve(picture: np.ndarray) -> np.ndarray:
    """[H, W, 3] uint8 to half the size, each pixel the mean of four."""
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    return picture.reshape(height, 2, width, 2, 3).mean(axis=(1, 3)).round().astype(np.uint8)
