"""A controlled domain gap: people of whom an adaptation may see 2D only, with the truth kept for measuring.

Source samples are what `SyntheticBodies` makes. The target differs by what is switched on here: other performers, other
cameras, another meaning of the joints, a detector that is off by the same vector every time, and missing limbs.
"""

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pose2mesh.augmentation.cameras import CameraRange, project
from pose2mesh.augmentation.detector_noise import DetectorNoise, add_detector_noise, box_height
from pose2mesh.augmentation.poses import relative_rotvecs, world_rotmats
from pose2mesh.augmentation.ranges import STRICT, NotNegative
from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.body_models.reduced import ReducedBody
from pose2mesh.datasets.motion import load_motion
from pose2mesh.errors import InputError
from pose2mesh.losses.targets import Batch
from pose2mesh.skeletons import COCO_ROWS, PELVIS_ROW, joint_set
from pose2mesh.synthesis.bodies import ADULT_YEARS, seeded_generator, shapes_of_ages

_LIMB_JOINTS = tuple(
    f"{side}_{j}" for side in ("left", "right") for j in ("shoulder elbow wrist hip knee ankle").split()
)
_OTHER_CAMERAS = CameraRange(distance=(1.8, 4.0), pitch_degrees=25.0, roll_degrees=8.0)
_OTHER_DETECTOR = DetectorNoise(jitter=0.01, miss=0.03, swap=0.02, absent=0.05, truncate=0.4)
_EXACT = DetectorNoise(jitter=0.0, miss=0.0, swap=0.0, absent=0.0, confidence_range=(1.0, 1.0))
_FRAMES_PER_GROUP = 20  # frames that are held out together: neighbors look alike


@dataclass(frozen=True)
class DomainGap:
    """How the target differs from the source."""

    __pydantic_config__: ClassVar = STRICT

    motion: str = "mocap_val.npz"  # performers that no source sample comes from
    unseen: str = "animation_train_cc0.npz"  # actions that neither source nor prior knows: the gap of kind `poses`
    people: int = 3000  # most frames used, spread over the pack
    cameras: CameraRange = field(default_factory=lambda: _OTHER_CAMERAS)
    convention: Literal["surface", "bones"] = "bones"  # limb joints where annotators click, or at the bones' heads
    offset: NotNegative = 0.015  # deviation of the detector's constant error of each joint, in heights of the box
    noise: DetectorNoise = field(default_factory=lambda: _OTHER_DETECTOR)
    seed: int = 0


class GapPart(NamedTuple):
    """People of the target. Only `keypoints` and `groups` are for adapting; `truth` is for measuring and the oracle."""

    keypoints: Tensor  # [N, 17, 3] COCO-17, x and y from the picture's center in focal lengths, confidence
    groups: Tensor  # [N] neighbors in time share a number
    subjects: list[str]  # [N]
    truth: Batch
    distance: Tensor  # [N] metres from the camera to the pelvis


def draw_gap(body: AnnyBody, gap: DomainGap, part: Literal["adapt", "test"], vertex_ids: np.ndarray) -> GapPart:
    """People of the clips with even numbers (`adapt`) or odd ones (`test`). A function of the gap alone."""
    pack = load_motion(gap.motion)
    is_part = pack.clip_id % 2 == (part == "test")
    if not is_part.any():
        raise InputError(f"{gap.motion}: a domain gap needs at least two clips, one to adapt to and one to test on")
    every = max(1, len(pack) // gap.people)
    frames = np.flatnonzero(is_part)[::every]
    poses = relative_rotvecs(pack.rotvec[frames])  # heading is drawn by the camera
    generator = seeded_generator(gap.seed, 21, part == "test")
    truth, distance, seen = _bodies(body, gap, poses, vertex_ids, generator)
    exact = project(_limbs(body, gap, truth, seen), distance)  # [N, 17, 2]
    bias = gap.offset * torch.randn(17, 2, generator=seeded_generator(gap.seed, 22))
    biased = exact + bias * box_height(exact)[:, None, None]
    keypoints = add_detector_noise(biased, gap.noise, generator)
    subjects = [str(pack.clip_subject[clip]) for clip in pack.clip_id[frames]]
    groups = torch.from_numpy(
        1000 * pack.clip_id[frames].astype(np.int64) + np.arange(len(frames)) // _FRAMES_PER_GROUP
    )
    return GapPart(keypoints, groups, subjects, truth._replace(keypoints=keypoints), distance)


def kinds_of_gap(gap: DomainGap) -> dict[str, DomainGap]:
    """The gap, and each of its differences alone (cameras and performers as in the source where not named)."""
    none = replace(gap, cameras=CameraRange(), convention="surface", offset=0.0, noise=_EXACT)
    return {
        "all": gap,
        "performers": none,
        "poses": replace(none, motion=gap.unseen),
        "cameras": replace(none, cameras=gap.cameras),
        "joints": replace(none, convention=gap.convention, offset=gap.offset),
        "detector": replace(none, noise=gap.noise),
    }


def _bodies(
    body: AnnyBody, gap: DomainGap, poses: Tensor, vertex_ids: np.ndarray, generator: torch.Generator
) -> tuple[Batch, Tensor, Tensor]:
    """(truth, distance [N], rotations of the groups [N,G,3,3]) of poses [N,19,3] on adults before the gap's cameras."""
    shapes = shapes_of_ages(ADULT_YEARS, 0)
    betas = shapes[torch.randint(len(shapes), (len(poses),), generator=generator)]
    view = gap.cameras.views(len(poses), generator)
    seen = view.rotation[:, None] @ world_rotmats(poses)  # [N, 19, 3, 3]
    groups = body.expand_groups(seen)
    reduced = ReducedBody(body, vertex_ids, "coco19")
    joints = reduced.joints(betas, groups)
    pelvis = joints[:, PELVIS_ROW, None]
    vertices = reduced.skin(betas, groups) - pelvis
    return Batch(torch.zeros(0), joints - pelvis, vertices, seen, betas), view.distance, groups


def _limbs(body: AnnyBody, gap: DomainGap, truth: Batch, groups: Tensor) -> Tensor:
    """COCO-17 [N,17,3] m in the gap's convention, relative to the true pelvis."""
    coco, smpl = joint_set("coco17"), joint_set("smpl24")
    joints = truth.joints[:, COCO_ROWS].clone()
    if gap.convention == "bones":
        nothing = np.zeros(0, np.int64)
        pelvis = ReducedBody(body, nothing, "coco19").joints(truth.betas, groups)[:, PELVIS_ROW, None]
        heads = ReducedBody(body, nothing, "smpl24").joints(truth.betas, groups) - pelvis
        joints[:, [coco.index(j) for j in _LIMB_JOINTS]] = heads[:, [smpl.index(j) for j in _LIMB_JOINTS]]
    return joints
