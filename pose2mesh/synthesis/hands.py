"""Hands made on the fly for training, and held-out gestures for testing (docs/hands.md).

A right hand is seen from any direction. Batch number `step` is a function of (seed, step, stream), test sample `i` of
(seed, i).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Generator, Tensor
from torch.utils.data import Dataset

from pose2mesh.augmentation.cameras import project
from pose2mesh.augmentation.detector_noise import CLEAN, PROTOCOL_HAND_NOISE, DetectorNoise, add_hand_noise
from pose2mesh.augmentation.hand_gestures import TEST_FAMILIES, TRAINING_FAMILIES, distinct_gestures, gesture_pool
from pose2mesh.augmentation.hand_poses import HandPoses, HandPoseSampler, vary
from pose2mesh.augmentation.poses import random_rotations
from pose2mesh.body_models import LinearBlendBody
from pose2mesh.body_models.reduced import ReducedBody
from pose2mesh.geometry.chains import relative_rotations
from pose2mesh.losses.targets import Batch
from pose2mesh.synthesis.bodies import ADULT_YEARS, draw_betas, seeded_generator, shapes_of_ages
from pose2mesh.synthesis.detections import hand_out, portions
from pose2mesh.synthesis.mixture import Mixture, pairs
from pose2mesh.synthesis.mocap import ProtocolBatch

HAND_DISTANCE = (0.3, 1.2)  # metres from the camera, of the protocol
RIGHT_HANDS = ("anny-hand", "mano-right")  # left ones are their mirror images
_VIEWS = 4  # of each posed hand in a batch: posing costs most
_VARIATION = 0.3  # of a full perturbation (some 3 degrees), on top of a pose that was checked


class PosedHands:
    """Joints and chosen vertices of a hand body, whichever it is."""

    def __init__(self, body: LinearBlendBody, vertex_ids: np.ndarray):
        self.body, self.vertex_ids = body, torch.as_tensor(vertex_ids)
        self.reduced = ReducedBody(body, vertex_ids, "hand21") if body.captured else None  # pyright: ignore[reportArgumentType]
        self.regressor = torch.as_tensor(body.joint_regressor("hand21"), dtype=torch.float32)

    def __call__(self, betas: Tensor, world_rotmat: Tensor) -> tuple[Tensor, Tensor]:
        """Wrist-relative joints [B,21,3] and vertices [B,n,3] m; betas [B,S], bones' world rotations [B,K,3,3]."""
        if self.reduced is not None:
            joints, vertices = self.reduced.joints(betas, world_rotmat), self.reduced.skin(betas, world_rotmat)
        else:  # MANO: its pose blend shapes need the whole mesh
            whole = self.body(betas, relative_rotations(world_rotmat, self.body.parents)).vertices
            joints, vertices = self.regressor @ whole, whole[:, self.vertex_ids]
        return joints - joints[:, :1], vertices - joints[:, :1]


class SyntheticHands(Dataset):
    """A map from step to Batch; use it with `DataLoader(batch_size=None)`."""

    def __init__(
        self,
        body: LinearBlendBody,
        pool: Tensor,
        mixture: Mixture,
        *,
        vertex_ids: np.ndarray,
        batch_size: int,
        seed: int = 0,
        stream: int = 0,
    ):
        """`pool` [N,24]: poses (`hand_pose_pool`); `vertex_ids`: the vertices a batch holds."""
        self.sampler = HandPoseSampler(body, pool)
        self.posed = PosedHands(body, vertex_ids)
        self.pool, self.mixture = pool, mixture
        self.batch_size, self.seed, self.stream = batch_size, seed, stream
        self.shapes = [hand_shapes(body, years, 1) for years in (ADULT_YEARS, (0.0, ADULT_YEARS[0]))]

    def __getitem__(self, step: int) -> Batch:
        generator = seeded_generator(self.seed, step, self.stream)
        count = -(-self.batch_size // _VIEWS)  # B / 4
        chosen = self.pool[torch.randint(len(self.pool), (count,), generator=generator)]
        rotations = self.sampler.rotations(vary(chosen, _VARIATION, generator))  # [B / 4, K, 3, 3]
        betas = draw_betas(self.shapes, self.mixture.children, count, generator)
        posed = [*self.posed(betas, rotations), rotations, betas]
        joints, vertices, rotations, betas = (part.repeat(_VIEWS, *[1] * (part.ndim - 1)) for part in posed)
        joints, vertices, rotations, betas = (x[: self.batch_size] for x in (joints, vertices, rotations, betas))
        view = random_rotations(self.batch_size, generator)
        joints, vertices = joints @ view.transpose(-1, -2), vertices @ view.transpose(-1, -2)
        cameras = portions(pairs(self.mixture.cameras, "camera"), self.batch_size, generator)
        distance = torch.cat([_distances(n, camera.distance, generator) for n, camera in cameras])
        points = project_centered(joints, distance)
        return Batch(self._detect(points, generator), joints, vertices, view[:, None] @ rotations, betas)

    def _detect(self, points: Tensor, generator: Generator) -> Tensor:
        """Give each share of the batch its kind of errors. The order is shuffled: cameras have shares too."""
        order = torch.randperm(len(points), generator=generator)
        kinds = pairs(self.mixture.noise, "detector")
        ((_, parts),) = hand_out(order, [(len(points), None)], kinds, generator)
        found = [add_hand_noise(points[rows], noise, generator) for rows, noise in parts]
        return torch.cat(found)[order.argsort()]


def hand_pose_pool(body: LinearBlendBody, families: tuple[str, ...], recipe: HandPoses, seed: int) -> Tensor:
    """Poses [N,24] that training draws from: checked for fingers in each other once, not in every step."""
    sampler = HandPoseSampler(body, gesture_pool(families), recipe)
    generator = seeded_generator(seed, 0x5EED)
    return torch.cat(
        [sampler.sample(min(4096, recipe.count - start), generator) for start in range(0, recipe.count, 4096)]
    )


def hand_shapes(body: LinearBlendBody, years: tuple[float, float], first: int) -> Tensor:
    """`shapes_of_ages` of a hand's table.

    MANO's directions are scaled to deviations of its scans, so its betas are normal, whatever the age.
    """
    if not body.kind.shapes:
        return torch.randn(2048, body.num_shape, generator=seeded_generator(first, 10))
    return shapes_of_ages(years, first, body.kind)


def project_centered(joints: Tensor, distance: Tensor) -> Tensor:
    """Joints [B,21,3] to the picture [B,21,2], in focal lengths, of a camera aimed at their middle."""
    return project(joints - joints.mean(1, keepdim=True), distance)


def _distances(count: int, between: tuple[float, float], generator: Generator) -> Tensor:
    low, high = between
    return low + (high - low) * torch.rand(count, generator=generator)


@dataclass(frozen=True)
class HandProtocol:
    """`variants` of each gesture of the families, one view each. Sample i is a function of (seed, i) alone.

    The first samples go through all gestures, so that a limited measurement sees them all.
    """

    kind: ClassVar[str] = "hand"
    body: LinearBlendBody
    families: tuple[str, ...] = TEST_FAMILIES
    variants: int = 50
    ages: tuple[float, float] = ADULT_YEARS
    seed: int = 0
    limit: int | None = None
    noise: DetectorNoise = PROTOCOL_HAND_NOISE

    def count(self) -> int:
        """Samples of all batches."""
        total = len(self._gestures()) * self.variants
        return total if self.limit is None else min(total, self.limit)

    def _gestures(self) -> list[tuple[str, Tensor]]:
        return distinct_gestures(self.families, TRAINING_FAMILIES)

    def batches(self, size: int) -> Iterator[ProtocolBatch]:
        """Batches in order; their groups are the families."""
        gestures, count = self._gestures(), self.count()
        names, pool = [family for family, _ in gestures], torch.stack([angles for _, angles in gestures])
        posed = PosedHands(self.body, np.arange(len(self.body.v_template)))
        sampler = HandPoseSampler(self.body, pool)
        shapes = hand_shapes(self.body, self.ages, 0)
        for start in range(0, count, size):
            rows = range(start, min(start + size, count))
            drawn = [self._draw(row, pool, shapes, sampler) for row in rows]
            angles, betas, view, distance = (torch.cat(column) for column in zip(*drawn, strict=True))
            joints, vertices = posed(betas, view[:, None] @ sampler.rotations(angles))
            exact = project_centered(joints, distance)
            clean, noisy = (self._detect(exact, rows, noise) for noise in (CLEAN, self.noise))
            yield ProtocolBatch(
                clean, noisy, joints, vertices, [names[row % len(names)] for row in rows], distance, "hand21"
            )

    def _draw(
        self, row: int, pool: Tensor, shapes: Tensor, sampler: HandPoseSampler
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Angles [1,24], shape [1,S], view rotation [1,3,3] and distance [1] of one sample."""
        generator = seeded_generator(self.seed, row, 0)
        gesture = pool[row % len(pool), None]
        angles = sampler.vary_gesture(gesture, generator)
        betas = shapes[torch.randint(len(shapes), (1,), generator=generator)]
        return angles, betas, random_rotations(1, generator), _distances(1, HAND_DISTANCE, generator)

    def _detect(self, exact: Tensor, rows: range, noise: DetectorNoise) -> Tensor:
        parts = [
            add_hand_noise(exact[i : i + 1], noise, seeded_generator(self.seed, row, 1)) for i, row in enumerate(rows)
        ]
        return torch.cat(parts)
