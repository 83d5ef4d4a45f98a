"""The mocap protocol: recorded frames, one view each, with exact ground truth (docs/protocols.md)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pose2mesh.augmentation.cameras import CameraRange, project
from pose2mesh.augmentation.detector_noise import CLEAN, PROTOCOL_NOISE, add_detector_noise
from pose2mesh.augmentation.poses import relative_rotvecs, world_rotmats
from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.datasets.motion import load_motion
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.skeletons import COCO_ROWS
from pose2mesh.synthesis.bodies import ADULT_YEARS, seeded_generator, shapes_of_ages


class ProtocolBatch(NamedTuple):
    """Camera axes, metres, relative to the pelvis (mid hips)."""

    clean: Tensor  # [B, 17, 3] exact projections, confidence 1
    noisy: Tensor  # [B, 17, 3] the same through the detector's errors
    joints: Tensor  # [B, 19, 3] COCO-19
    vertices: Tensor  # [B, V, 3] the whole mesh
    groups: list[str]  # subject of each sample
    distance: Tensor  # [B] metres to the camera
    joint_set: str = "coco17"  # of clean and noisy


@dataclass(frozen=True)
class MocapProtocol:
    """Every `every`-th frame of a pack. Sample i is a function of (seed, i) alone."""

    kind: ClassVar[str] = "body"
    body: AnnyBody
    motion: str | Path
    every: int = 3
    ages: tuple[float, float] = ADULT_YEARS
    seed: int = 0
    limit: int | None = None

    def count(self) -> int:
        """Samples of all batches."""
        return len(self.frames())

    def frames(self) -> np.ndarray:
        """Of the pack [N]."""
        return np.arange(0, len(load_motion(self.motion)), self.every)[: self.limit]

    def batches(self, size: int) -> Iterator[ProtocolBatch]:
        """Batches in the order of the frames."""
        made = MocapBatches(self, size)
        yield from (made[index] for index in range(len(made)))


class MocapBatches:
    """The batches of a protocol by number."""

    def __init__(self, protocol: MocapProtocol, size: int):
        pack, frames = load_motion(protocol.motion), protocol.frames()
        self.body, self.seed, self.size = protocol.body, protocol.seed, size
        self.subjects = [str(pack.clip_subject[pack.clip_id[frame]]) for frame in frames]
        self.decoder = AnnyDecoder(self.body)
        self.pool = relative_rotvecs(pack.rotvec[frames])  # heading is drawn by the camera
        self.shapes = shapes_of_ages(protocol.ages, 0)

    def __len__(self) -> int:
        return -(-len(self.subjects) // self.size)

    def __getitem__(self, index: int) -> ProtocolBatch:
        rows = range(index * self.size, min((index + 1) * self.size, len(self.subjects)))
        drawn = [self._draw(row) for row in rows]
        betas, rotation, distance = (torch.cat(column) for column in zip(*drawn, strict=True))
        poses = rotation[:, None] @ world_rotmats(self.pool[rows.start : rows.stop])
        vertices, joints, _ = self.decoder(BodyParameters(poses, betas))
        exact = project(joints[:, COCO_ROWS], distance)
        clean, noisy = [], []
        for i, row in enumerate(rows):
            generator = seeded_generator(self.seed, row, 1)
            clean.append(add_detector_noise(exact[i : i + 1], CLEAN, generator))
            noisy.append(add_detector_noise(exact[i : i + 1], PROTOCOL_NOISE, generator))
        return ProtocolBatch(
            torch.cat(clean), torch.cat(noisy), joints, vertices, self.subjects[rows.start : rows.stop], distance
        )

    def _draw(self, row: int) -> tuple[Tensor, Tensor, Tensor]:
        """Shape [1,S], view rotation [1,3,3] and distance [1] of one sample."""
        generator = seeded_generator(self.seed, row, 0)
        betas = self.shapes[torch.randint(len(self.shapes), (1,), generator=generator)]
        view = CameraRange().views(1, generator)
        return betas, view.rotation, view.distance
