"""People over time as a file; the suffix chooses the format: arrays (NPZ), a skinned character (GLB), bones (BVH).

The arrays of `motion.npz` are listed in docs/conventions.md. No pickles.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from pose2mesh.errors import FormatError, InputError, MissingDependencyError, MissingFileError
from pose2mesh.exporters.person import Y_UP
from pose2mesh.npz import check_shapes, read_arrays, write_arrays
from pose2mesh.types import Camera, Motion

_SHAPES = {  # kinds of numbers and axes of each array that a file must hold
    "frame": ("iu", "N"),
    "time": ("f", "N"),
    "track": ("iu", "N"),
    "joints": ("f", "NJ3"),
    "translation": ("f", "N3"),
    "rotations": ("f", "NB33"),
    "betas": ("f", "NS"),
    "keypoints": ("f", "NK3"),
    "joint_names": ("U", "J"),
    "bone_names": ("U", "B"),
    "fps": ("f", ""),
    "body": ("U", ""),
}
_OPTIONAL = {"world_from_camera": ("f", "44"), "contacts": ("b", "N2"), "span": ("f", "2")}
_BATCH = 256  # meshes at once
_ORTHOGONAL = 1e-3  # largest entry of R Rᵀ − 1 that still passes for rounding


def save_motion(motion: Motion, path: str | Path) -> Path:
    """Write a motion atomically as .npz, .glb or .bvh. Returns the path.

    Raises InputError for another suffix, a malformed motion (naming the field) or one that the format cannot hold,
    MachineError when the disk is full.
    """
    path = Path(path)
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        known = ", ".join((*MOTION_SUFFIXES, ".html", ".mp4"))
        raise InputError(f"cannot write {path}: suffix {path.suffix!r} is none of {known}")
    check_motion(motion)
    write(motion, path)
    return path


def load_motion_file(path: str | Path) -> Motion:
    """Read what `save_motion` wrote as .npz. Raises MissingFileError; FormatError when damaged or not consistent."""
    arrays = read_arrays(Path(path), tuple(_SHAPES), remedy="give a motion.npz that pose2mesh wrote")
    values: dict[str, Any] = {
        name: arrays[name] for name in (*_SHAPES, *(name for name in _OPTIONAL if name in arrays))
    }
    for name in ("joint_names", "bone_names"):
        values[name] = tuple(values[name].tolist())
    camera = None
    if "camera_focal" in arrays:
        center, size = arrays["camera_center"].tolist(), arrays["camera_image_size"].tolist()
        camera = Camera(float(arrays["camera_focal"]), tuple(center), np.zeros(3), tuple(size) if any(size) else None)
    if "span" in values:
        values["span"] = tuple(values["span"].tolist())
    values |= {"fps": float(values["fps"]), "body": str(values["body"]), "camera": camera}
    motion = Motion(**values)
    try:
        check_motion(motion)
    except InputError as error:
        raise FormatError(f"{path} is damaged: {error}") from error
    return motion


def check_motion(motion: Motion) -> None:
    """Raise InputError, naming the field, unless shapes agree, numbers are finite and rows are in order."""
    given = {**_SHAPES, **{name: kind for name, kind in _OPTIONAL.items() if getattr(motion, name) is not None}}
    arrays = {name: np.asarray(getattr(motion, name)) for name in given}
    check_shapes(arrays, given, "motion.")
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(f"motion.{name} holds values that are not finite")
    if not len(motion):
        raise InputError("the motion has no rows: nobody was found, so there is nothing to write")
    if not motion.fps > 0:
        raise InputError(f"motion.fps is {motion.fps}; expected frames per second > 0")
    if np.abs(motion.rotations @ motion.rotations.swapaxes(-1, -2) - np.eye(3)).max() > _ORTHOGONAL:
        raise InputError("motion.rotations holds matrices that are no rotations")
    order = np.lexsort((motion.track, motion.frame))
    keys = {*zip(motion.frame.tolist(), motion.track.tolist(), strict=True)}
    if (order != np.arange(len(order))).any() or len(keys) < len(order):
        raise InputError("motion rows are not one per frame and track, in the order of frames, then tracks")
    for track in motion.tracks:
        if (np.diff(motion.time[motion.track == track]) <= 0).any():
            raise InputError(f"motion.time does not increase from frame to frame of track {track}")


def _write_npz(motion: Motion, path: Path) -> None:
    arrays: dict[str, Any] = {name: np.asarray(getattr(motion, name)) for name in _SHAPES}
    arrays |= {name: np.asarray(getattr(motion, name)) for name in _OPTIONAL if getattr(motion, name) is not None}
    if motion.camera is not None:
        arrays["camera_focal"] = np.float64(motion.camera.focal)
        arrays["camera_center"] = np.array(motion.camera.center, np.float64)
        arrays["camera_image_size"] = np.array(motion.camera.image_size or (0, 0), np.int32)
    if motion.world_from_camera is not None:
        rotmat, shift = motion.world_from_camera[:3, :3], motion.world_from_camera[:3, 3]
        arrays["world_translation"] = (motion.translation @ rotmat.T + shift).astype(np.float32)
        arrays["world_joints"] = (motion.joints @ rotmat.T + arrays["world_translation"][:, None]).astype(np.float32)
    if motion.body.startswith("smpl"):
        with suppress(MissingFileError, MissingDependencyError):
            arrays |= _amass(motion)
    write_arrays(path, arrays)


def _amass(motion: Motion) -> dict[str, Any]:
    """SMPL turns a body about its rest pelvis and moves it then; Motion says where the pelvis off the mesh is."""
    import torch  # slow to import, as are SciPy's rotations
    from scipy.spatial.transform import Rotation

    from pose2mesh.body_models import load_body_model

    body, rotations = load_body_model(motion.body), motion.rotations.astype(np.float64)  # [N, 24, 3, 3]
    rows = [torch.from_numpy(a.astype(np.float32)).split(_BATCH) for a in (motion.betas, motion.rotations)]
    with torch.inference_mode():
        bodies = [body(betas, turns) for betas, turns in zip(*rows, strict=True)]
        pelvis = torch.cat([body.J_regressor[0] @ posed.vertices for posed in bodies]).numpy()  # [N, 3]
        head = torch.cat([posed.joints[:, 0] for posed in bodies]).numpy()  # [N, 3]
    rotations[:, 0] = Y_UP[:, None] * rotations[:, 0]
    poses = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_rotvec().reshape(len(motion), -1)
    trans = (motion.translation + head - pelvis) * Y_UP - head
    return {"poses": poses, "trans": trans, "mocap_framerate": np.float64(motion.fps)}


def _write_bvh(motion: Motion, path: Path) -> None:
    from pose2mesh.exporters.bvh import write_bvh  # SciPy's rotations are slow to import, and people need none

    write_bvh(motion, path)


def _write_glb(motion: Motion, path: Path) -> None:
    from pose2mesh.exporters.gltf import write_glb

    write_glb(motion, path)


_WRITERS: dict[str, Callable[[Motion, Path], None]] = {".npz": _write_npz, ".glb": _write_glb, ".bvh": _write_bvh}
MOTION_SUFFIXES = tuple(_WRITERS)
