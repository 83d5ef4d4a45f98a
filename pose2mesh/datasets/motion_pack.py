"""Motion packs: body poses as world rotations of 19 bones.

A pose is [19, 3] rotation vectors. Each is the WORLD rotation of a bone against Anny's rest pose (identity =
rest) in Anny's axes: z up, the subject faces -y, the subject's left is +x. No translation is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pose2mesh.errors import FormatError
from pose2mesh.npz import check_shapes, read_arrays, write_arrays
from pose2mesh.skeletons import MOTION_BONES, MOTION_PARENTS

BONES, PARENTS = MOTION_BONES, MOTION_PARENTS
FPS = 30.0
PACK_REMEDY = "set POSE2MESH_DATA to the folder of the packs, or copy the file again (format: docs/data.md)"
_SHAPES = {  # kinds of numbers and axes of each array that a file must hold: N frames, B bones, C clips
    **{"rotvec": ("f", "NB3"), "clip_id": ("iu", "N"), "frame_120": ("iu", "N"), "fps": ("fiu", "")},
    **{"bone_names": ("U", "B"), "parents": ("iu", "B")},
    **dict.fromkeys(("clip_name", "clip_subject", "clip_source"), ("U", "C")),
}
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
    def from_clips(cls, clips: Sequence[MotionClip], subjects: Sequence[str], sources: Sequence[str]) -> "MotionPack":
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
    def load(cls, path: str | Path) -> "MotionPack":
        """Read an .npz pack. Raises MissingFileError; FormatError if it is truncated or foreign."""
        arrays = read_arrays(Path(path), tuple(_SHAPES), remedy=PACK_REMEDY)
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


def _check_pack(arrays: dict[str, np.ndarray], path: Path) -> None:
    lengths = check_shapes(arrays, _SHAPES, f"{path}: ", B=len(BONES))
    refuse(
        path,
        {
            "has no frames": not lengths["N"],
            f"bone_names are not {' '.join(BONES)}": tuple(arrays["bone_names"].tolist()) != BONES,
            "parents do not fit the bones": tuple(arrays["parents"].tolist()) != PARENTS,
            "rotvec holds values that are not finite": not np.isfinite(arrays["rotvec"]).all(),
            "rotvec is not in radians (beyond 2 pi)": bool((np.abs(arrays["rotvec"]) > _LARGEST_ROTVEC).any()),
            "clip_id points outside the clip tables": not np.isin(arrays["clip_id"], np.arange(lengths["C"])).all(),
            f"fps is {float(arrays['fps']):g}, not {FPS:g}": float(arrays["fps"]) != FPS,
        },
    )


def refuse(path: str | Path, problems: dict[str, bool]) -> None:
    """Raise FormatError that names those of the problems which a pack has."""
    if found := [text for text, is_wrong in problems.items() if is_wrong]:
        raise FormatError(f"{path}: {'; '.join(found)}; use a pack in the format of docs/data.md")
