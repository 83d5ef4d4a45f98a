"""Motion packs: body poses as world rotations of 19 bones, from an .npz file or from BVH files.

A pose is [19, 3] rotation vectors. Each is the WORLD rotation of a bone against Anny's rest pose (identity =
rest) in Anny's axes: z up, the subject faces -y, the subject's left is +x. No translation is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from pose2mesh.errors import FormatError, InputError
from pose2mesh.npz import read_arrays, write_arrays
from pose2mesh.skeletons import MOTION_BONES, MOTION_PARENTS

BONES, PARENTS = MOTION_BONES, MOTION_PARENTS
FPS = 30.0
PACK_REMEDY = "set POSE2MESH_DATA to the folder of the packs, or copy the file again (format: docs/data.md)"
_PER_FRAME = ("rotvec", "clip_id", "frame_120")
_PER_CLIP = ("clip_name", "clip_subject", "clip_source")
_REQUIRED = (*_PER_FRAME, *_PER_CLIP, "bone_names", "parents", "fps")
_LARGEST_ROTVEC = 2 * np.pi + 0.01  # radians; a rotation vector needs no more than pi, float16 rounds a little


@dataclass(frozen=True)
class MotionClip:
    """One recording at 30 frames per second."""

    rotvec: np.ndarray  # [N, 19, 3] float32, radians, world rotations in Anny's axes
    frame_120: np.ndarray  # [N] int32, frame number at 120 Hz; the normal step is 4, larger where frames were cut
    name: str


@dataclass(frozen=True)
class MotionPack:
    """Clips joined end to end."""

    rotvec: np.ndarray  # [N, 19, 3] float32, radians, world rotations in Anny's axes
    bone_names: tuple[str, ...]  # 19 names, always BONES
    parents: np.ndarray  # [19] int32, -1 for the root
    clip_id: np.ndarray  # [N] int32, row of the three tables below
    frame_120: np.ndarray  # [N] int32, frame number at 120 Hz
    clip_name: tuple[str, ...]
    clip_subject: tuple[str, ...]
    clip_source: tuple[str, ...]
    fps: float = FPS

    def __len__(self) -> int:
        return len(self.rotvec)

    @classmethod
    def from_clips(cls, clips: Sequence[MotionClip], subjects: Sequence[str], sources: Sequence[str]) -> MotionPack:
        """Join clips, at least one; `subjects` and `sources` name the performer and the origin of each."""
        return cls(
            rotvec=np.concatenate([clip.rotvec for clip in clips]).astype(np.float32),  # [N, 19, 3]
            bone_names=BONES,
            parents=np.array(PARENTS, np.int32),
            clip_id=np.repeat(np.arange(len(clips), dtype=np.int32), [len(clip.rotvec) for clip in clips]),  # [N]
            frame_120=np.concatenate([clip.frame_120 for clip in clips]).astype(np.int32),  # [N]
            clip_name=tuple(clip.name for clip in clips),
            clip_subject=tuple(subjects),
            clip_source=tuple(sources),
        )

    @classmethod
    def load(cls, path: str | Path) -> MotionPack:
        """Read an .npz pack. Raises MissingFileError; FormatError if it is truncated or foreign."""
        arrays = read_arrays(Path(path), _REQUIRED, remedy=PACK_REMEDY)
        _check_pack(arrays, Path(path))
        return cls(
            rotvec=arrays["rotvec"].astype(np.float32),
            bone_names=BONES,
            parents=arrays["parents"].astype(np.int32),
            clip_id=arrays["clip_id"].astype(np.int32),
            frame_120=arrays["frame_120"].astype(np.int32),
            clip_name=tuple(arrays["clip_name"].tolist()),
            clip_subject=tuple(arrays["clip_subject"].tolist()),
            clip_source=tuple(arrays["clip_source"].tolist()),
            fps=float(arrays["fps"]),
        )

    def save(self, path: str | Path) -> None:
        """Write an .npz pack atomically, under exactly this name. Raises MachineError on a full disk."""
        arrays = {name: np.asarray(getattr(self, name)) for name in self.__dataclass_fields__}
        write_arrays(path, arrays)


def load_motion(path: str | Path) -> MotionPack:
    """Read an .npz pack, one .bvh file, or a folder of .bvh files (searched below it too).

    Raises MissingFileError, FormatError; InputError for another suffix.
    """
    path = Path(path)
    if path.is_dir() or path.suffix.lower() == ".bvh":
        from pose2mesh.datasets.bvh import load_bvh_folder  # bvh builds packs, so it imports this module

        return load_bvh_folder(path)
    if path.suffix.lower() != ".npz":
        raise InputError(f"{path}: motion is read from a .npz pack, a .bvh file or a folder of .bvh files")
    return MotionPack.load(path)


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


def _check_pack(arrays: dict[str, np.ndarray], path: Path) -> None:
    frames, clips = len(arrays["clip_id"].ravel()), len(arrays["clip_name"].ravel())
    shapes = {"rotvec": (frames, len(BONES), 3), "clip_id": (frames,), "frame_120": (frames,), "fps": ()}
    shapes |= {"bone_names": (len(BONES),), "parents": (len(BONES),)} | {name: (clips,) for name in _PER_CLIP}
    kinds = {
        "rotvec": "f",
        "clip_id": "iu",
        "frame_120": "iu",
        "parents": "iu",
        "fps": "fiu",
        "bone_names": "U",
    }
    kinds |= {name: "U" for name in _PER_CLIP}
    for name, shape in shapes.items():
        if arrays[name].shape != shape or arrays[name].dtype.kind not in kinds[name]:
            seen = f"{arrays[name].dtype} {list(arrays[name].shape)}"
            raise FormatError(f"{path}: {name} is {seen}, expected {list(shape)}; write the pack again")
    problems = {
        "has no frames": frames == 0,
        f"bone_names are not {' '.join(BONES)}": tuple(arrays["bone_names"].tolist()) != BONES,
        "parents do not fit the bones": tuple(arrays["parents"].tolist()) != PARENTS,
        "rotvec holds values that are not finite": not np.isfinite(arrays["rotvec"]).all(),
        "rotvec is not in radians (beyond 2 pi)": bool((np.abs(arrays["rotvec"]) > _LARGEST_ROTVEC).any()),
        "clip_id points outside the clip tables": not np.isin(arrays["clip_id"], np.arange(clips)).all(),
        "fps is not a positive number": not (np.isfinite(arrays["fps"]) and arrays["fps"] > 0),
    }
    found = [text for text, is_wrong in problems.items() if is_wrong]
    if found:
        raise FormatError(f"{path}: {'; '.join(found)}; use a pack in the format of docs/data.md")
