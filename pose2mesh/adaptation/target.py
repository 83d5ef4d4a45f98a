"""Target keypoints: 2D joints of people in the user's own files, and nothing else."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pose2mesh.adaptation.config import TargetConfig
from pose2mesh.datasets.coco2d import Coco2D
from pose2mesh.datasets.motion import find_motion
from pose2mesh.datasets.motion_pack import PACK_REMEDY
from pose2mesh.detectors.readers import read_keypoints
from pose2mesh.detectors.sources import keypoint_files
from pose2mesh.detectors.told import Told
from pose2mesh.errors import InputError
from pose2mesh.fitting.aiming import aimed
from pose2mesh.fitting.camera import assume_intrinsics
from pose2mesh.npz import read_arrays
from pose2mesh.skeletons import convert
from pose2mesh.skeletons import joint_set as find_joint_set
from pose2mesh.skeletons.conversion import conversion_sources
from pose2mesh.synthesis.bodies import seeded_generator
from pose2mesh.types import Keypoints2D

FEWEST_PEOPLE = 16  # with fewer nothing can be told apart from chance, least of all on the part held out
FEWEST_SHARED = 6  # joints that the file's set must have in common with the network's
FEWEST_CONFIDENT = 4  # joints of a person; fewer fix neither camera nor pose


@dataclass(frozen=True)
class TargetSet:
    """People of the target, in the network's joint set, as `predict` shows them: each by a camera aimed at them."""

    keypoints: Tensor  # [N, J, 3] x and y from the optical axis in focal lengths, confidence
    held_out: Tensor  # [M, J, 3] the same for the part that no step sees
    least_confidence: float

    def draw(self, count: int, seed: int, step: int) -> Tensor:
        """A random batch [count,J,3], a function of (seed, step)."""
        rows = torch.randint(len(self.keypoints), (count,), generator=seeded_generator(seed, step, 7))
        return self.keypoints[rows]

    def confident(self, keypoints: Tensor) -> Tensor:
        """Weights [B,J] of the joints that re-projection looks at: the confidence, 0 for what is below the limit."""
        confidence = keypoints[..., 2]
        return confidence * (confidence >= self.least_confidence)


def split_target(
    keypoints: Tensor, groups: Tensor, *, held_out: float, least_confidence: float, where: str
) -> TargetSet:
    """Leave out people without confident joints, then hold a share of the groups (pictures, clips) out.

    Shapes: keypoints [N,J,3] in focal lengths; groups [N] integers. Raises InputError for too few people or joints.
    """
    confident = ((keypoints[..., 2] >= least_confidence) & (keypoints[..., 2] > 0)).sum(1)  # [N]
    usable = confident >= FEWEST_CONFIDENT
    if len(keypoints) and not usable.any():
        raise InputError(
            f"{where}: none of {len(keypoints)} people has {FEWEST_CONFIDENT} joints of confidence "
            f"{least_confidence} or more; lower target.least_confidence or use a better detector"
        )
    keypoints, groups = keypoints[usable], groups[usable]
    names = groups.unique()
    count = max(1, min(round(held_out * len(names)), len(names) - 1))
    if len(keypoints) < FEWEST_PEOPLE or len(names) < 2:
        raise InputError(
            f"{where}: {len(keypoints)} usable people in {len(names)} pictures are too few to adapt to; "
            f"give at least {FEWEST_PEOPLE} in several pictures"
        )
    order = torch.randperm(len(names), generator=seeded_generator(0, len(names)))
    is_out = torch.isin(groups, names[order[:count]])
    return TargetSet(keypoints[~is_out], keypoints[is_out], least_confidence)


def load_target(target: TargetConfig, joint_set: str) -> TargetSet:
    """Read a keypoint file for a network of `joint_set`; what the file does not tell is told as to `predict`.

    Raises MissingFileError, FormatError, and as `target_of`.
    """
    if not target.keypoints:
        raise InputError("no target: give target.keypoints=FILE, 2D keypoints of the people to adapt to")
    return target_of(read_target(target), target, joint_set)


def read_target(target: TargetConfig) -> list[Keypoints2D]:
    """The people of a keypoint file by picture. Raises MissingFileError, FormatError, InputError."""
    path = target.keypoints
    told = Told.checked(target.joint_set, "none", None, target.intrinsics, target.image_size)
    return [told.apply(frame, path) for frame in _read(find_motion(path), told)]


def target_of(frames: list[Keypoints2D], target: TargetConfig, joint_set: str) -> TargetSet:
    """People of pictures for a network of `joint_set`.

    Losses, held-out errors and what is synthesized are all in the axes of the aimed cameras, as the network's answers
    are. Raises InputError for too few people, none with confident joints, or a joint set that shares too few joints
    with the network's.
    """
    path = target.keypoints
    people, groups = [], []
    for index, frame in enumerate(frames):
        _check_shared(frame.joint_set, joint_set, path)
        points, confidence = convert(frame.points, frame.confidence, frame.joint_set, joint_set)
        people += [_to_rays(p, c, frame) for p, c in zip(points, confidence, strict=True)]
        groups += [index] * len(points) if len(frames) > 1 else range(len(points))
    keypoints = torch.from_numpy(np.stack(people)) if people else torch.zeros(0, 1, 3)
    return split_target(
        aimed(keypoints, keypoints.new_tensor([[1.0, 0.0, 0.0]]))[0],
        torch.tensor(groups, dtype=torch.long),
        held_out=target.held_out,
        least_confidence=target.least_confidence,
        where=path,
    )


def _check_shared(file_set: str, network_set: str, where: str) -> None:
    """Raise InputError when the sets have too few points of the body in common."""
    sources = conversion_sources(find_joint_set(file_set), find_joint_set(network_set))
    shared = sum(bool(parts) for parts in sources)
    if shared < FEWEST_SHARED:
        raise InputError(
            f"{where}: joint set {file_set} shares {shared} joints with {network_set}, which the network takes; at "
            f"least {FEWEST_SHARED} are needed. Check target.joint_set, or adapt a network of another joint set"
        )


def _read(path: Path, told: Told) -> list[Keypoints2D]:
    """Keypoints by picture: a COCO pack, or any keypoint file."""
    if path.suffix == ".npz" and "image_license" in read_arrays(path, remedy=PACK_REMEDY):
        pack = Coco2D.load(path)
        return [
            Keypoints2D(
                pack.keypoints[rows, :, :2],
                pack.is_labeled[rows].astype(np.float32),
                "coco17",
                (int(pack.image_size[rows[0], 0]), int(pack.image_size[rows[0], 1])),
            )
            for rows in (np.flatnonzero(pack.image_id == image) for image in np.unique(pack.image_id))
        ]
    files = keypoint_files(Path(path)) or [path]
    return [frame.keypoints for file in files for frame in read_keypoints(file, told.joint_set, told.image_size)]


def _to_rays(points: np.ndarray, confidence: np.ndarray, frame: Keypoints2D) -> np.ndarray:
    """One person [J,2], [J] in pixels to [J,3] in focal lengths; the camera is that of `fit_cameras`."""
    seen = confidence > 0
    focal, center = assume_intrinsics(points, confidence, frame.image_size, frame.intrinsics)
    rays = np.where(seen[:, None], (points - center) / focal, 0.0)
    return np.column_stack([rays, confidence]).astype(np.float32)
