"""Samples of a mesh without a body model: frames of a sequence before virtual cameras, through a detector's errors."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from pose2mesh.augmentation.cameras import CameraRange, View, project
from pose2mesh.augmentation.detector_noise import CLEAN, PROTOCOL_NOISE, add_detector_noise
from pose2mesh.body_models import MeshBody
from pose2mesh.losses.targets import Batch
from pose2mesh.skeletons import joint_set as find_joint_set
from pose2mesh.synthesis.bodies import seeded_generator
from pose2mesh.synthesis.detections import Detections, Errors, portions
from pose2mesh.synthesis.mixture import Mixture, pairs
from pose2mesh.synthesis.mocap import ProtocolBatch


class MeshSamples(Dataset):
    """A map from step to Batch; use it with `DataLoader(batch_size=None)`."""

    def __init__(
        self,
        body: MeshBody,
        mixture: Mixture,
        *,
        vertex_ids: np.ndarray,
        batch_size: int,
        joint_set: str,
        output_set: str,
        seed: int = 0,
        stream: int = 0,
    ):
        """`joint_set` and `output_set` are the network's; the root of the latter is the origin."""
        self.detections = Detections(body, joint_set, output_set, pairs(mixture.detectors, "joint_set"))
        self.points, self.vertices = _about_root(body, self.detections.regressor, vertex_ids, output_set)
        self.mixture, self.batch_size, self.seed, self.stream = mixture, batch_size, seed, stream

    def __getitem__(self, step: int) -> Batch:
        generator, count = seeded_generator(self.seed, step, self.stream), self.batch_size
        frames = torch.randint(len(self.points), (count,), generator=generator)
        cameras = portions(pairs(self.mixture.cameras, "camera"), count, generator)
        views = [camera.views(n, generator) for n, camera in cameras]
        view = View(*(torch.cat(column) for column in zip(*views, strict=True)))
        points, vertices = _seen(self.points[frames], view), _seen(self.vertices[frames], view)
        framing = self.mixture.framing
        errors = Errors(
            pairs(self.mixture.noise, "detector"), [(torch.ones(count, dtype=torch.bool), framing)] if framing else []
        )
        keypoints = self.detections(points, view.translation, errors, generator)
        joints = points[:, self.detections.output_rows]
        return Batch(keypoints, joints, vertices, points.new_zeros(count, 0, 3, 3), points.new_zeros(count, 0))


@dataclass(frozen=True)
class MeshProtocol:
    """Every frame of a sequence in one view, its errors those of the mocap protocol. Sample i depends on (seed, i)."""

    kind: ClassVar[str] = "mesh"
    body: MeshBody
    joint_set: str
    output_set: str
    seed: int = 0
    limit: int | None = None

    def count(self) -> int:
        """Samples of all batches."""
        return len(self.body.frames[: self.limit])

    def batches(self, size: int) -> Iterator[ProtocolBatch]:
        """Batches in the order of the frames."""
        inputs, ids = find_joint_set(self.joint_set), np.arange(len(self.body.v_template))
        regressor = np.concatenate([self.body.joint_regressor(name) for name in (self.output_set, self.joint_set)])
        all_points, all_vertices = _about_root(self.body, regressor, ids, self.output_set)
        for start in range(0, self.count(), size):
            rows = range(start, min(start + size, self.count()))
            drawn = [CameraRange().views(1, seeded_generator(self.seed, row, 0)) for row in rows]
            view = View(*(torch.cat(column) for column in zip(*drawn, strict=True)))
            points, vertices = (_seen(part[start : rows.stop], view) for part in (all_points, all_vertices))
            exact = project(points[:, -len(inputs) :], view.translation)
            clean, noisy = (
                torch.cat(
                    [
                        add_detector_noise(exact[i : i + 1], noise, seeded_generator(self.seed, row, 1), inputs)
                        for i, row in enumerate(rows)
                    ]
                )
                for noise in (CLEAN, PROTOCOL_NOISE)
            )
            joints = points[:, : -len(inputs)]
            yield ProtocolBatch(clean, noisy, joints, vertices, ["all"] * len(rows), view.distance, self.joint_set)


def _about_root(body: MeshBody, regressor: np.ndarray, ids: np.ndarray, output_set: str) -> tuple[Tensor, Tensor]:
    """Points [N,U,3] of a regressor [U,V] and vertices [N,n,3] in every frame, relative to the root of the outputs."""
    outputs = find_joint_set(output_set)
    root = body.joint_regressor(output_set)[outputs.index(outputs.root or outputs.joints[0])]
    center = torch.as_tensor(root[None], dtype=torch.float32) @ body.frames  # [N, 1, 3]
    points = torch.as_tensor(regressor, dtype=torch.float32) @ body.frames
    return points - center, body.frames[:, torch.as_tensor(ids)] - center


def _seen(points: Tensor, view: View) -> Tensor:
    """Points [B,n,3] with y up in the axes of the camera."""
    return points @ view.rotation.transpose(1, 2)
