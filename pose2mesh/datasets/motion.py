"""Recorded motion from files of any kind, and the distinct poses among it."""

import os
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from pose2mesh import paths
from pose2mesh.datasets.motion_pack import MotionPack
from pose2mesh.datasets.recordings import SUFFIXES, load_recordings
from pose2mesh.errors import InputError, MissingFileError


def load_motion(path: str | Path) -> MotionPack:
    """Read an .npz pack, one recording (.bvh, .amc, .glb, .gltf), or a folder of them (searched below it too).

    What is not there is looked for in the folder of `POSE2MESH_DATA`. Raises MissingFileError, FormatError; InputError
    for another suffix.
    """
    path = find_motion(path)
    if path.is_dir() or path.suffix.lower() in SUFFIXES:
        return load_recordings(path)
    if path.suffix.lower() != ".npz":
        raise InputError(
            f"{path}: motion is read from a .npz pack, from {', '.join(SUFFIXES)} files or folders of them"
        )
    return MotionPack.load(path)


def find_motion(source: str | Path) -> Path:
    """A motion file or folder: as given if it exists, else inside the data folder. Raises MissingFileError."""
    path = Path(source)
    if path.exists():
        return path
    try:
        found = paths.data_dir() / path
    except MissingFileError as error:
        remedy = "if it is of the motion packs, set POSE2MESH_DATA to their folder (docs/data.md)"
        raise MissingFileError(f"{path}: no such file or folder; {remedy}") from error
    is_asked_for = "POSE2MESH_DATA" in os.environ  # else an error would name a folder that nobody gave
    return found if is_asked_for or found.exists() else path


def distinct_poses(rotvec: np.ndarray, threshold: float = 0.2, chunk: int = 512) -> np.ndarray:
    """Indices [M] of poses more than `threshold` radians from each other, chosen greedily in the order given.

    Distance: mean over the bones of the angle between world rotations, after the heading (turn of the root
    about the vertical) is taken out. The first pose is always kept.

    Shapes: rotvec [N, J, 3]; returns [M] int64, ascending.
    """
    quaternions = _without_heading(rotvec)  # [J, N, 4]
    kept = np.empty_like(quaternions)  # [J, N, 4], the first `count` columns are in use
    indices: list[int] = []
    for start in range(0, len(rotvec), chunk):
        part = quaternions[:, start : start + chunk]  # [J, n, 4]
        nearest = _distance_to_nearest(part, kept[:, : len(indices)])  # [n]
        while (far := np.flatnonzero(nearest > threshold)).size:
            pose = part[:, far[0]][:, None]  # [J, 1, 4]
            kept[:, len(indices)] = pose[:, 0]
            indices.append(start + int(far[0]))
            nearest = np.minimum(nearest, _distance_to_nearest(part, pose))
            nearest[far[0]] = 0.0  # exactly: rounding must not keep a pose twice
    return np.array(indices, np.int64)


def _without_heading(rotvec: np.ndarray) -> np.ndarray:
    """Unit quaternions [J, N, 4] of poses [N, J, 3] turned back by the twist of the root about z."""
    count, joints = rotvec.shape[:2]
    world = Rotation.from_rotvec(np.asarray(rotvec, np.float64).reshape(-1, 3))
    root = world.as_quat().reshape(count, joints, 4)[:, 0]  # [N, 4] x y z w
    heading = 2 * np.arctan2(root[:, 2], root[:, 3])  # [N]
    turn = Rotation.from_rotvec(np.repeat(heading, joints)[:, None] * [0.0, 0.0, -1.0])
    quaternions = (turn * world).as_quat().reshape(count, joints, 4)
    return np.ascontiguousarray(quaternions.transpose(1, 0, 2), np.float32)


def _distance_to_nearest(poses: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Smallest mean joint angle [n] from poses [J, n, 4] to any of kept [J, k, 4]; infinite if k is 0."""
    if kept.shape[1] == 0:
        return np.full(poses.shape[1], np.inf, np.float32)
    total = np.zeros((poses.shape[1], kept.shape[1]), np.float32)  # [n, k]
    for pose, other in zip(poses, kept, strict=True):
        cosine = np.abs(pose @ other.T)  # [n, k] of half the angle; q and -q are the same rotation
        total += np.arccos(np.minimum(cosine, 1.0, out=cosine), out=cosine)
    return 2 * total.min(axis=1) / len(poses)
