"""Training sequences made on the fly: recorded motion, varied, before cameras that hardly move, through a detector.

Chunk number `index` is a function of (seed, index) alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Generator, Tensor

from pose2mesh.augmentation.cameras import NEAREST, project
from pose2mesh.augmentation.framing import crop_to_frame
from pose2mesh.augmentation.poses import LEGS, UNRECORDED
from pose2mesh.augmentation.ranges import STRICT, Fraction, NotNegative, Positive, unread_at_zero
from pose2mesh.augmentation.sequence_noise import RATE, SequenceNoise, add_sequence_noise, wander
from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.body_models.levers import point_levers, points_over_time
from pose2mesh.body_models.reduced import ReducedBody
from pose2mesh.datasets.motion import load_motion
from pose2mesh.geometry.chains import relative_rotations, world_rotations
from pose2mesh.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from pose2mesh.losses.targets import SequenceBatch
from pose2mesh.settings import Strict
from pose2mesh.skeletons import MIRROR_BONES, MOTION_BONES, MOTION_PARENTS
from pose2mesh.synthesis.bodies import draw_betas, seeded_generator, training_shapes
from pose2mesh.synthesis.detections import Detections, Detector, hand_out, portions
from pose2mesh.synthesis.mixture import CameraShare, DetectorShare, Framed, pairs

_STEP_120 = 4  # between frames in a row, of the recordings' 120 a second
_FLIP = torch.tensor([[1.0, -1, -1], [-1, 1, 1], [-1, 1, 1]])  # M R M entry by entry, M = diag(-1, 1, 1)


class Runs(NamedTuple):
    """Frames without a cut."""

    rotations: Tensor  # [N, 19, 3, 3] against the parents, the root in the world; SMPL axes
    start: Tensor  # [R] first frame
    count: Tensor  # [R] frames
    subjects: tuple[str, ...]  # [R]


@dataclass(frozen=True)
class MotionVariation:
    """How recordings are varied; angles in degrees, speeds in metres a second."""

    __pydantic_config__: ClassVar = STRICT

    mirror: Fraction = 0.5
    swap_halves: Fraction = 0.2  # the legs of another recording
    perturb: Fraction = 0.5  # every joint turned, by an angle that stays and one that wanders slowly
    perturb_degrees: NotNegative = 12.0  # largest deviation of that
    clavicle_degrees: NotNegative = 6.0  # recorded clavicles and wrists do not move by themselves
    wrist_degrees: NotNegative = 15.0
    speed: tuple[Positive, Positive] = (0.75, 1.3)
    rates: tuple[Positive, ...] = (30, 30, 30, 30, 30, 30, 25, 24, 60, 15)  # frames a second of the videos
    children: Fraction = 0.2
    moving: Fraction = 0.4  # share of cameras that move
    sway_degrees: NotNegative = 3.0  # deviation of how they turn
    walk: NotNegative = 0.4  # deviation of the speed that people cross the picture with


def recorded_runs(motion: Sequence[str | Path], fewest: int = 3, longest: int = 1 << 20) -> Runs:
    """All runs of `fewest` frames or more, cut after `longest`. Raises MissingFileError, FormatError."""
    rotations, starts, counts, subjects, before = [], [], [], [], 0
    for source in motion:
        pack = load_motion(source)
        x, y, z = torch.as_tensor(pack.rotvec, dtype=torch.float32).unbind(-1)
        rotations.append(relative_rotations(rotvec_to_rotmat(torch.stack([x, z, -y], -1)), MOTION_PARENTS))
        cut = (np.diff(pack.clip_id) != 0) | (np.diff(pack.frame_120) != _STEP_120)
        edges = np.concatenate([[0], np.flatnonzero(cut) + 1, [len(pack)]])
        start = np.concatenate([np.arange(*run, longest) for run in pairwise(edges)])
        count = np.diff(np.concatenate([start, [len(pack)]]))
        start, count = start[count >= fewest], count[count >= fewest]
        starts.append(start + before)
        counts.append(count)
        subjects += [str(pack.clip_subject[pack.clip_id[first]]) for first in start]
        before += len(pack)
    start, count = (torch.from_numpy(np.concatenate(parts)) for parts in (starts, counts))
    return Runs(torch.cat(rotations), start, count, tuple(subjects))


class SequenceNoiseShare(Strict):
    """A kind of errors and the share of sequences that get it."""

    share: Positive
    detector: Annotated[
        SequenceNoise,
        unread_at_zero(
            jitter=("white", "memory"),
            miss=("miss_frames", "miss_range"),
            swap=("swap_frames",),
            absent=("absent_frames",),
            lost=("lost_frames",),
        ),
    ] = SequenceNoise()


class SequenceMixture(Strict):
    """What sequences are made of, as `Mixture`."""

    variation: MotionVariation = MotionVariation()
    noise: tuple[SequenceNoiseShare, ...] = Field(default=(SequenceNoiseShare(share=1.0),), min_length=1)
    cameras: tuple[CameraShare, ...] = Field(default=(CameraShare(share=1.0),), min_length=1)
    detectors: tuple[DetectorShare, ...] = Field(default=(DetectorShare(share=1.0, joint_set="coco17"),), min_length=1)
    framing: Framed | None = None


class SyntheticSequences:
    """`make(index, count, length)` draws sequences."""

    def __init__(
        self, body: AnnyBody, runs: Runs, mixture: SequenceMixture, joint_set: str, output_set: str,
        mesh_points: np.ndarray, seed: int,
    ):  # fmt: skip
        """`joint_set` and `output_set` are the network's; `mesh_points` vertices that are wanted as well."""
        self.body, self.runs, self.mixture, self.seed = body, runs, mixture, seed
        self.detections = Detections(body, joint_set, output_set, pairs(mixture.detectors, "joint_set"))
        reduced = ReducedBody(body, mesh_points, self.detections.regressor)
        self.levers = point_levers(reduced, np.arange(len(mesh_points)))  # [U + n, G, 3, 1+S]
        self.shapes = training_shapes()

    def make(self, index: int, count: int, length: int) -> SequenceBatch:
        """`count` sequences of `length` frames."""
        generator, variation = seeded_generator(self.seed, index, 2), self.mixture.variation

        def uniform(*shape: int) -> Tensor:
            return torch.rand(count, *shape, generator=generator)

        rates = torch.tensor(variation.rates)[torch.randint(len(variation.rates), (count,), generator=generator)]
        times = torch.arange(length) / rates[:, None]  # [B, T]
        relative, present = self._motion(times, uniform, generator)
        betas = draw_betas(self.shapes, variation.children, count, generator)
        view, place = self._cameras(times, uniform, generator)
        world = world_rotations(relative.flatten(0, 1), MOTION_PARENTS).unflatten(0, (count, length))
        seen = view[:, :, None] @ world  # [B, T, 19, 3, 3]
        groups = self.body.expand_groups(seen.flatten(0, 1)).unflatten(0, (count, length))
        points = points_over_time(self.levers, betas, groups)
        points = points - points[:, :, self.detections.root, None]
        keypoints = self._detect(points, place, rates, generator)
        present &= (keypoints[..., 2] > 0).any(-1)
        outputs = torch.cat(
            [points[:, :, self.detections.output_rows], points[:, :, len(self.detections.regressor) :]], 2
        )
        return SequenceBatch(keypoints, times, present, outputs, seen, betas)

    def _motion(self, times: Tensor, uniform, generator: Generator) -> tuple[Tensor, Tensor]:
        """Rotations [B,T,19,3,3] against the parents, and whether they were recorded [B,T]."""
        count, runs, variation = len(times), self.runs, self.mixture.variation
        run = torch.multinomial(runs.count.float(), count, replacement=True, generator=generator)
        low, high = variation.speed
        passed = times * RATE * (low + (high - low) * uniform(1))  # [B, T] frames of the recording
        spare = (runs.count[run][:, None] - 1 - passed[:, -1:]).clamp(min=0)
        place = passed + spare * uniform(1)
        present = place <= runs.count[run][:, None] - 1
        place = torch.minimum(place, runs.count[run][:, None] - 1.0)
        before = place.floor().long()
        after = torch.minimum(before + 1, runs.count[run][:, None] - 1)
        first, second = (runs.rotations[runs.start[run][:, None] + frame] for frame in (before, after))
        between = rotmat_to_rotvec(first.transpose(-1, -2) @ second) * (place - before)[..., None, None]
        relative = first @ rotvec_to_rotmat(between)
        flipped = relative[:, :, MIRROR_BONES] * _FLIP
        relative = torch.where((uniform(1) < variation.mirror)[..., None, None, None], flipped, relative)
        swaps, other = uniform(1) < variation.swap_halves, torch.randperm(count, generator=generator)
        legs = relative[:, :, LEGS]
        relative[:, :, LEGS] = torch.where(swaps[..., None, None, None], legs[other], legs)
        present &= present[other] | ~swaps
        strength = np.deg2rad(variation.perturb_degrees) * uniform(1, 1) * (uniform(1, 1) < variation.perturb)
        strength = strength.expand(-1, 1, len(MOTION_BONES)).clone()
        for bones, degrees in zip(UNRECORDED, (variation.clavicle_degrees, variation.wrist_degrees), strict=True):
            strength[:, :, bones] = (strength[:, :, bones].square() + np.deg2rad(degrees) ** 2).sqrt()
        shape = count, 1, len(MOTION_BONES), 3
        stays = torch.randn(shape, generator=generator)
        phase = 2 * np.pi * (uniform(1, len(MOTION_BONES), 3) + times[..., None, None] * (0.2 + uniform(1, 19, 3)))
        turn = strength[..., None] * (0.8 * stays + 0.8 * phase.sin())
        return relative @ rotvec_to_rotmat(turn), present

    def _cameras(self, times: Tensor, uniform, generator: Generator) -> tuple[Tensor, Tensor]:
        """View rotations [B,T,3,3] and places of the pelvis [B,T,3] m."""
        count, variation = len(times), self.mixture.variation
        cameras = portions(pairs(self.mixture.cameras, "camera"), count, generator)
        views = [camera.views(n, generator) for n, camera in cameras]
        order = torch.randperm(count, generator=generator)
        rotation, place = (torch.cat(parts)[order] for parts in zip(*views, strict=True))
        sway = np.deg2rad(variation.sway_degrees) * (uniform(1, 1) < variation.moving)
        phase = 2 * np.pi * (uniform(1, 3) + times[..., None] * (0.1 + 0.7 * uniform(1, 3)))
        turn = rotvec_to_rotmat(sway * (phase.sin() - phase[:, :1].sin()))  # [B, T, 3, 3]
        crossing = variation.walk * torch.randn(count, 1, 3, generator=generator) * torch.tensor([1.0, 0.1, 1.0])
        path = place[:, None] + crossing * (times - times[:, -1:] / 2)[..., None]
        path = (turn @ path[..., None])[..., 0]
        path[..., 2] = path[..., 2].clamp(min=4 * NEAREST)
        return turn @ rotation[:, None], path

    def _detect(self, points: Tensor, place: Tensor, rates: Tensor, generator: Generator) -> Tensor:
        """Points [B,T,U+n,3] m to keypoints [B,T,J,3]: each sequence through a detector, with its errors."""
        detections, found, order = self.detections, [], torch.randperm(len(points), generator=generator)
        kinds = pairs(self.mixture.noise, "detector")
        sources = [(share, i) for i, (share, _) in enumerate(detections.sources)]
        for index, parts in hand_out(order, portions(sources, len(points), generator), kinds, generator):
            detector, columns = detections.sources[index][1], detections.source_rows[index]
            for rows, noise in parts:
                exact = project(points[rows][:, :, columns].flatten(0, 1), place[rows].flatten(0, 1))
                exact = exact.unflatten(0, (len(rows), -1))
                found.append(self._seen(exact, detector, noise, rates[rows], generator))
        return torch.cat(found)[order.argsort()]

    def _seen(
        self, exact: Tensor, detector: Detector, noise: SequenceNoise, rates: Tensor, generator: Generator
    ) -> Tensor:
        keypoints = add_sequence_noise(exact, noise, rates, generator, detector.joints)
        if (framing := self.mixture.framing) is not None:
            middle = exact[:, exact.shape[1] // 2]
            inside = crop_to_frame(middle, detector.joints.joints, framing, generator)[:, None]  # all the time
            height = (exact[..., 1].amax(-1) - exact[..., 1].amin(-1))[..., None, None]
            error = framing.guess_error * height * wander(tuple(exact.shape), 0.9, rates, generator)
            low, high = framing.guess_confidence
            sure = low + (high - low) * torch.rand(exact.shape[:3], generator=generator)
            guessed = torch.cat([exact + error, sure[..., None]], -1) * (keypoints[..., 2:] > 0)
            guesses = (torch.rand(len(exact), 1, 1, 1, generator=generator) < framing.guess).float()
            keypoints = torch.where(inside[..., None], keypoints, guessed * guesses)
        return detector.conversion(keypoints.flatten(0, 1)).unflatten(0, exact.shape[:2])
