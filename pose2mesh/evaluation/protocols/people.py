"""The people of a protocol in batches: what the network sees of them, and their true mesh and joints."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pose2mesh.body_models import LicensedBody, load_licensed_body
from pose2mesh.datasets.annotated.meshes import BodySurfaces, project
from pose2mesh.datasets.annotated.table import collect
from pose2mesh.datasets.sample import Sample
from pose2mesh.errors import InputError
from pose2mesh.evaluation.protocols.rules import Rules
from pose2mesh.skeletons import UNION48, convert, joint_set

_TRUTH = "let them see the true joints (test: input=truth, training: data.exact_input=true)"


class People(NamedTuple):
    """One batch; metres, camera frame, not root-relative."""

    samples: list[Sample]
    keypoints: Tensor  # [B, J, 3] pixels and confidence, the network's joint set
    vertices: Tensor | None  # [B, V, 3] true mesh; None before FreiHAND's ground truth is there
    joints: Tensor | None  # [B, J', 3] the dataset's own joints in the protocol's set, where they count
    lifted: Tensor | None = None  # [B, J, 3] true joints in the network's joint set, where they are asked for


class PeopleOf:
    """Makes batches of samples, by the rules of a protocol and for the joint set of a network."""

    def __init__(self, rules: Rules, body: LicensedBody, input_set: str, sees: str, *, needs_joints: bool = False):
        """`sees`: "detections" as published, or "truth", the projections of the true joints.

        `needs_joints`: whether batches hold the true joints of the network's set, which may need a regressor's file.
        """
        self.rules, self.input_set, self.sees, self.needs_joints = rules, input_set, sees, needs_joints
        self.bodies = {rules.body: body}
        self.surfaces = BodySurfaces(self.bodies, (input_set,) if needs_joints or sees == "truth" else ())

    def batches(self, samples: Iterable[Sample], size: int, limit: int | None) -> Iterator[People]:
        """Batches of the first `limit` people, in the order of the samples."""
        counted = islice(samples, limit)
        while batch := list(islice(counted, size)):
            yield self._hands(batch) if self.rules.dataset == "freihand" else self._bodies(batch)

    def _bodies(self, samples: list[Sample]) -> People:
        people = collect(samples, self.input_set, self.rules.joint_set)
        for name in people.models:
            if name not in self.bodies:
                self.bodies[name] = load_licensed_body(name)
        vertices, heads = self.surfaces.vertices(people)
        measured = people.measured if self.rules.truth == "measured" else None
        if self.sees == "detections" and not self.needs_joints:
            return People(samples, _detections(samples, self.input_set), vertices, measured)
        is_measured = measured is not None and self.input_set == self.rules.joint_set
        seen = measured if is_measured else self.surfaces.joints(self.input_set, vertices, heads, people.models[0])
        assert seen is not None
        if self.sees == "detections":
            return People(samples, _detections(samples, self.input_set), vertices, measured, seen)
        pixels = project(people, seen)
        return People(samples, torch.cat([pixels, torch.ones_like(pixels[..., :1])], -1), vertices, measured, seen)

    def _hands(self, samples: list[Sample]) -> People:
        joints = [sample.joints.points for sample in samples if sample.joints is not None]
        vertices = [sample.vertices for sample in samples if sample.vertices is not None]
        has_truth = len(joints) == len(vertices) == len(samples)
        if self.sees == "detections":
            keypoints = _detections(samples, self.input_set)
        elif has_truth and self.input_set == self.rules.joint_set:
            pixels = np.stack([sample.camera.project(one) for sample, one in zip(samples, joints, strict=True)])
            keypoints = torch.from_numpy(np.concatenate([pixels, np.ones_like(pixels[..., :1])], -1).astype(np.float32))
        else:
            raise InputError("freihand: input=truth needs evaluation_xyz.json and weights for hand21 (docs/data.md)")
        if not has_truth:
            return People(samples, keypoints, None, None)
        true_vertices, true_joints = (torch.from_numpy(np.stack(points)) for points in (vertices, joints))
        own_set = true_joints if self.input_set == self.rules.joint_set else None
        return People(samples, keypoints, true_vertices, true_joints, own_set)


def _detections(samples: list[Sample], target: str) -> Tensor:
    """Published detections [B, J, 3] in a joint set. Raises InputError where they do not hold all of its joints.

    Of a union of sets no detector holds all: what it lacks is absent, confidence 0.
    """
    found = []
    for sample in samples:
        if sample.detections is None:
            raise InputError(
                f"{sample.dataset}: the files of detections have none of {sample.image}; get them again "
                f"(docs/data.md), or {_TRUTH}"
            )
        source, points = sample.detections
        xy, confidence = convert(points[:, :2], np.ones(len(points), np.float32), source, target)
        missing = [joint for joint, there in zip(joint_set(target).joints, confidence, strict=True) if not there]
        if missing and target != UNION48.name:
            raise InputError(
                f"{sample.dataset}: the detections are {source} and lack {missing[0]!r}, which these weights need "
                f"({target}); take weights for {source}, or {_TRUTH}"
            )
        _, confidence = convert(points[:, :2], points[:, 2], source, target)
        found.append(np.concatenate([xy, confidence[:, None]], 1))
    return torch.from_numpy(np.stack(found).astype(np.float32))
