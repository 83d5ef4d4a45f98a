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
from pose2mesh.metrics import MetricAccumulator, hand_errors, mpjpe, mpvpe
from pose2mesh.networks.prediction import MeshPrediction
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.rendering import bones_of, contact_sheet, draw_keypoints, render_overlay, render_views
from pose2mesh.rendering.shading import SKIN
from pose2mesh.rendering.software import Pinhole, render
from pose2mesh.skeletons import JointSet, convert
from pose2mesh.synthesis.hand_studio import HandScene
from pose2mesh.synthesis.studio import StudioScene
from pose2mesh.types import Camera, Person

Scene = StudioScene | HandScene
MEASURES = ("pa_mpjpe", "mpjpe", "pa_mpvpe", "mpvpe", "keypoint_error", "reprojection_error", "silhouette_iou")
HAND_MEASURES = (*MEASURES[:-1], "right_side", "f_at_5", "f_at_15", "auc", "auc_vertices")
_JOINT_SETS = {"body": "coco17", "hand": "hand21"}  # of the true keypoints


def measure_closed_loop(
    model: Pose2Mesh,
    scenes: Iterable[Scene],
    detector: str | Detector = "auto",
    on_result: Callable[[Any, Person | None], None] | None = None,
) -> dict[str, Any]:
    """Recover every scene, a body or a hand, from its picture alone and compare with its truth.

    {measure: mean, ..., "detected", "false_finds", "count", "groups": {group: {...}}, "median": {measure: ...}}:
    the measures of `measure_scene` or `measure_hand` over the scenes whose person was found, `*mpjpe` and `*mpvpe` in
    mm; the share of such scenes; finds per scene beyond that person. `on_result` gets every scene and the person, if
    found. Raises MissingDependencyError without a detector, InputError for weights of another mesh.
    """
    accumulator = MetricAccumulator()
    found: list[dict[str, Tensor]] = []
    for scene in scenes:
        detector = get_detector(detector, scene.kind) if isinstance(detector, str) else detector
        measures, measure_one = (MEASURES, measure_scene) if scene.kind == "body" else (HAND_MEASURES, measure_hand)
        people = _recover(model, scene, detector)
        truth = scene.truth.keypoints
        person = min(people, key=lambda p: _distance(_keypoints(p, scene.kind), truth), default=None)
        unknown = {name: torch.tensor([torch.nan]) for name in measures}
        values = unknown if person is None else measure_one(scene, person)  # pyright: ignore[reportArgumentType]
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
    camera, truth = _comparable(scene, person), scene.truth
    shares = _picture_errors(scene, person, camera, float(np.ptp(truth.keypoints[:, 1])))
    shares["silhouette_iou"] = _silhouette_iou(person, camera, scene.mask)
    predicted = MeshPrediction(_batch(person.vertices), _batch(person.joints[: len(truth.joints)]))
    errors = measure(predicted, _batch(truth.joints)[:, PROTOCOL_JOINTS], _batch(truth.vertices))
    return {**errors, **{name: torch.tensor([share]) for name, share in shares.items()}}


def measure_hand(scene: HandScene, hand: Person) -> dict[str, Tensor]:
    """Errors [1] of one recovered hand.

    FreiHAND's measures and, without the alignment, `mpjpe` and `mpvpe` relative to the wrist, metres; `right_side` is 1
    where left and right were told apart; `keypoint_error` and `reprojection_error` as of `measure_scene`, in sizes of
    the hand's box. Raises InputError for a mesh of another topology.
    """
    camera, truth = _comparable(scene, hand), scene.truth
    shares = _picture_errors(scene, hand, camera, float(np.ptp(truth.keypoints[:, :2], axis=0).max()))
    shares["right_side"] = float(hand.handedness == truth.handedness)
    found, true = (_batch(hand.joints), _batch(hand.vertices)), (_batch(truth.joints), _batch(truth.vertices))
    errors = hand_errors(*found, *true) | {"mpjpe": mpjpe(found[0], true[0]), "mpvpe": mpvpe(found[1], true[1])}
    return {**errors, **{name: torch.tensor([share]) for name, share in shares.items()}}


def _comparable(scene: Scene, person: Person) -> Camera:
    """The person's camera. Raises InputError for a mesh of another topology than the scene's, or without a camera."""
    truth = scene.truth
    if person.vertices.shape != truth.vertices.shape or len(person.joints) < len(truth.joints):
        raise InputError(
            f"the network returns {len(person.vertices)} vertices and {len(person.joints)} joints, the scene has "
            f"{len(truth.vertices)} and {len(truth.joints)}; the closed loop needs weights of anny-{scene.kind}"
        )
    if person.camera is None:
        raise InputError("the person has no camera, so its place in the picture is unknown; fit a camera first")
    return person.camera


def _picture_errors(scene: Scene, person: Person, camera: Camera, size: float) -> dict[str, float]:
    """Errors in the picture, over a size in pixels."""
    truth = scene.truth.keypoints
    reprojected = np.column_stack([camera.project(person.joints[: len(truth)]), truth[:, 2]])  # [J, 3]
    return {
        "keypoint_error": _distance(_keypoints(person, scene.kind), truth) / size,
        "reprojection_error": _distance(reprojected, truth) / size,
    }


def scene_pictures(scene: Scene, person: Person | None) -> list[np.ndarray]:
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


def _recover(model: Pose2Mesh, scene: Scene, detector: Detector) -> list[Person]:
    try:
        return model.predict(scene.image, detector=detector)
    except InputError:  # nobody found, or too few visible joints
        return []


def _keypoints(person: Person, kind: str) -> np.ndarray:
    """The keypoints [J, 3] of a person in the set of the truth; those of truths and of older networks are in it."""
    if not person.keypoint_names:
        return person.keypoints
    given = JointSet("keypoints", person.keypoint_names, ())
    points, confidence = convert(person.keypoints[:, :2], person.keypoints[:, 2], given, _JOINT_SETS[kind])
    return np.column_stack([points, confidence])


def _distance(keypoints: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance in pixels of the visible joints of keypoints [J, 3] from the truth [J, 3]."""
    seen = keypoints[:, 2] > 0
    return float(np.linalg.norm(keypoints[seen, :2] - truth[seen, :2], axis=1).mean())


def _silhouette_iou(person: Person, camera: Camera, mask: np.ndarray) -> float:
    """Intersection over union of the person's outline seen by the camera and mask [H, W]."""
    body = person.vertices + camera.translation  # [V, 3]
    view = Pinhole(camera.focal, camera.center, (mask.shape[1], mask.shape[0]))
    _, depth = render(body, person.faces, view, SKIN)
    drawn = depth > 0  # [H, W]
    return float((drawn & mask).sum() / (drawn | mask).sum())


def _batch(points: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(points, np.float32))[None]


def _medians(rows: list[dict[str, Tensor]]) -> dict[str, float]:
    """Median of every measure, lengths in mm; nothing when nobody was found."""
    scale = {name: 1000 if name.endswith(("mpjpe", "mpvpe")) else 1 for name in (rows or [{}])[0]}
    return {name: by * float(np.median([row[name].item() for row in rows])) for name, by in scale.items()}


def _halve(picture: np.ndarray) -> np.ndarray:
    """[H, W, 3] uint8 to half the size, each pixel the mean of four."""
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    return picture.reshape(height, 2, width, 2, 3).mean(axis=(1, 3)).round().astype(np.uint8)
