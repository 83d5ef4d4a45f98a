"""BVH files as motion packs, so that any folder of them trains like the packs."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from pose2mesh.datasets.bvh_skeleton import Skeleton, find_reference, forward, match_bones
from pose2mesh.datasets.motion import MotionClip, MotionPack
from pose2mesh.datasets.retarget import frames_without_jumps, possible_poses, resample_to_120, retarget
from pose2mesh.errors import FormatError, MissingDependencyError, MissingFileError


def read_bvh(path: str | Path) -> MotionClip:
    """Read one recording, retarget it to Anny and clean it, at 30 Hz (docs/data.md gives the rules).

    A recording of which cleaning leaves nothing gives a clip with no frames. Raises MissingFileError;
    FormatError for a malformed file, joints that were not recognized, or no T-pose; MissingDependencyError
    without pybvh.
    """
    path = Path(path)
    skeleton, local, fps = _parse(path)
    try:
        bones = match_bones(skeleton)
        recorded = forward(skeleton, local)  # [N, S, 3, 3]
        reference = find_reference(skeleton, bones, recorded[0])
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error
    axes = reference.to_anny  # [3, 3]
    turned = recorded[:, bones] @ reference.world[bones].swapaxes(1, 2)  # [N, 19, 3, 3] against the T-pose
    world = resample_to_120(axes @ turned @ axes.T, fps)  # [M, 19, 3, 3]
    frames = frames_without_jumps(world)  # [K]
    poses = retarget(world[frames], reference.directions)  # [K, 19, 3, 3]
    keep = possible_poses(poses)  # [K]
    rotvec = Rotation.from_matrix(poses[keep].reshape(-1, 3, 3)).as_rotvec().reshape(-1, len(bones), 3)
    return MotionClip(rotvec.astype(np.float32), frames[keep].astype(np.int32), path.stem)


def load_bvh_folder(folder: str | Path) -> MotionPack:
    """Read every .bvh file in a folder and below it, in the order of their paths; or one .bvh file.

    The subject of a clip is the number in a CMU name (`07` of `07_12`), else its subfolder, else its name.
    Recordings of which cleaning leaves nothing are left out.

    Raises MissingFileError if there is no .bvh file; FormatError if one is malformed or nothing is left.
    """
    folder = Path(folder)
    if not folder.exists():
        raise MissingFileError(f"{folder} not found; give a .bvh file or a folder of them")
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() == ".bvh") if folder.is_dir() else [folder]
    if not paths:
        raise MissingFileError(f"{folder} holds no .bvh files; give the folder that does")
    read = [(path, read_bvh(path)) for path in paths]
    kept = [(path, clip) for path, clip in read if len(clip.rotvec)]
    if not kept:
        raise FormatError(f"{folder}: nothing is left after cleaning (too short, or tracking flips throughout)")
    clips = [clip for _, clip in kept]
    subjects = [_subject(path, folder) for path, _ in kept]
    return MotionPack.from_clips(clips, subjects, [f"bvh:{path.name}" for path, _ in kept])


def _subject(path: Path, folder: Path) -> str:
    found = re.search(r"(?<![^_])(\d{2,3})_\d{2,3}(?![^_])", path.stem)
    if found:
        return found[1]
    return path.stem if path.parent in (folder, folder.parent) else path.parent.name


def _parse(path: Path) -> tuple[Skeleton, np.ndarray, float]:
    """Hierarchy, local rotations [N, S, 3, 3] and frames per second."""
    try:
        import pybvh
    except ImportError as error:
        raise MissingDependencyError("reading BVH needs pybvh: pip install 'pose2mesh[bvh]'") from error
    if not path.is_file():
        raise MissingFileError(f"{path} not found; give a .bvh file or a folder of them")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy warns of an empty table; the error below says it better
            bvh = pybvh.read_bvh_file(path, world_up="+y")  # not used: our vertical is the body's
    except (ValueError, IndexError, OSError) as error:
        remedy = "download it again, or export it with three rotations per joint and positions at the root only"
        raise FormatError(f"{path}: not a readable BVH file ({error}); {remedy}") from error
    joints = [node for node in bvh.nodes if not node.is_end_site()]
    row = {id(node): index for index, node in enumerate(joints)}
    parents = tuple(-1 if node.parent is None else row[id(node.parent)] for node in joints)
    skeleton = Skeleton(tuple(node.name for node in joints), parents, np.array([node.offset for node in joints]))
    finite = [np.isfinite(bvh.joint_angles).all(), np.isfinite(skeleton.offsets).all(), np.isfinite(bvh.fps)]
    if not all(finite) or bvh.fps <= 0:
        raise FormatError(f"{path}: holds values that are not finite; export or download it again")
    return skeleton, bvh.to_rotmat()[1], float(bvh.fps)
