"""Samples of one dataset as columns: what training needs of some 300,000 people, without 300,000 objects."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from pose2mesh.datasets.sample import Joints2D, Joints3D, Sample
from pose2mesh.errors import InputError
from pose2mesh.skeletons import convert, joint_set

_CHUNK = 4096  # samples stacked at a time, so that they are not all in memory as objects


@dataclass(frozen=True)
class SampleTable:
    """Rows are people; pixels, metres, radians as in Sample."""

    dataset: str
    models: tuple[str, ...]  # body models that `model` counts into
    model: Tensor  # [N] int64
    rotvec: Tensor  # [N, K, 3]
    betas: Tensor  # [N, 10]
    translation: Tensor  # [N, 3]
    turns_about_root: Tensor  # [N] bool
    adds_mean_pose: Tensor  # [N] bool
    camera_rotation: Tensor  # [N, 3, 3]
    camera_translation: Tensor  # [N, 3]
    focal: Tensor  # [N, 2]
    center: Tensor  # [N, 2]
    is_orthographic: Tensor  # [N] bool
    measured: Tensor  # [N, J, 3] joints in the set that people are measured in, camera frame
    measured_valid: Tensor  # [N, J] bool; all False where there are none
    labels: Tensor  # [N, 17, 3] COCO-17, confidence 0 where there are none
    detections: Tensor  # [N, J', 3] in the network's set, confidence 0 where there are none

    def __len__(self) -> int:
        return len(self.model)

    def rows(self, index: Tensor) -> "SampleTable":
        """The people of some rows [B]."""
        columns = {name: value[index] for name, value in self._columns().items()}
        return SampleTable(self.dataset, self.models, **columns)

    def _columns(self) -> dict[str, Tensor]:
        every = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in every.items() if isinstance(value, Tensor)}


def collect(samples: Iterable[Sample], input_set: str, measured_set: str) -> SampleTable:
    """Stack samples; joints go to the set that a network sees, measured ones stay in theirs.

    Raises InputError where there is no sample, or one without body parameters.
    """
    models: dict[str, int] = {}
    parts, dataset, remaining = [], "", iter(samples)
    while chunk := list(islice(remaining, _CHUNK)):
        rows = [_row(sample, models, input_set, measured_set) for sample in chunk]
        parts.append({name: np.stack([row[name] for row in rows]) for name in rows[0]})
        dataset = chunk[0].dataset
    if not parts:
        raise InputError("there is no person to make a table of")
    columns = {name: torch.from_numpy(np.concatenate([part[name] for part in parts])) for name in parts[0]}
    return SampleTable(dataset, tuple(models), **columns)


def _row(sample: Sample, models: dict[str, int], input_set: str, measured_set: str) -> dict:
    camera, body, measured = sample.camera, sample.body, _joints_in(sample.joints, measured_set)
    if body is None:
        raise InputError(f"{sample.dataset}: image {sample.image_id} has no body parameters to train on")
    row = {
        "model": np.int64(models.setdefault(body.model, len(models))),
        "rotvec": body.rotvec,
        "betas": body.betas,
        "translation": body.translation,
        "turns_about_root": np.bool_(body.turns_about_root),
        "adds_mean_pose": np.bool_(body.adds_mean_pose),
        "camera_rotation": camera.rotation,
        "camera_translation": camera.translation,
        "focal": camera.focal,
        "center": camera.center,
        "is_orthographic": np.bool_(camera.is_orthographic),
        "measured": measured[0],
        "measured_valid": measured[1],
        "labels": _points_in(sample.labels, "coco17"),
        "detections": _points_in(sample.detections, input_set),
    }
    return {name: np.float32(value) if np.asarray(value).dtype.kind == "f" else value for name, value in row.items()}


def _joints_in(joints: Joints3D | None, target: str) -> tuple[np.ndarray, np.ndarray]:
    """Points [J, 3] and validity [J], if they were measured in that very set: SMPL's hips are not Human3.6M's."""
    count = len(joint_set(target))
    if joints is None or joints.joint_set != target:
        return np.zeros((count, 3), np.float32), np.zeros(count, bool)
    return joints.points.astype(np.float32), joints.valid


def _points_in(points: Joints2D | None, target: str) -> np.ndarray:
    """Points [J, 3] in a set; COCO's pelvis and neck are derived, other sets have to be the same."""
    count = len(joint_set(target))
    if points is None or (points.joint_set != target and (points.joint_set, target) != ("coco17", "coco19")):
        return np.zeros((count, 3), np.float32)
    xy, confidence = convert(points.points[:, :2], points.points[:, 2], points.joint_set, target)
    return np.concatenate([xy, confidence[:, None]], 1).astype(np.float32)
