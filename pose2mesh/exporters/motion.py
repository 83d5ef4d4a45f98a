"""People over time as a file; the suffix chooses the format: arrays (NPZ), a skinned character (GLB), bones (BVH).

The arrays of `motion.npz` are listed in docs/conventions.md. No pickles.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pose2mesh.errors import FormatError, InputError, MissingDependencyError, MissingFileError
from pose2mesh.exporters.person import Y_UP
from pose2mesh.npz import check_shapes, read_arrays, write_arrays
from pose2mesh.types import Camera, Motion

_SHAPES = {  # kinds of numbers and axes of each array that a file must hold
    "frame": ("iu", "N"),
    "time": ("fiu", "N"),
    "track": ("iu", "N"),
    "joints": ("f", "NJ3"),
    "translation": ("f", "N3"),
    "rotations": ("f", "NB33"),
    "betas": ("f", "NS"),
    "keypoints": ("f", "NK3"),
    "joint_names": ("U", "J"),
    "bone_names": ("U", "B"),
    "fps": ("fiu", ""),
    "body": ("U", ""),
}
_OPTIONAL = {"world_from_camera": ("f", "44"), "contacts": ("b", "N2"), "span": ("fiu", "2")}
_CAMERA = {"camera_focal": ("fiu", ""), "camera_center": ("fiu", "2"), "camera_image_size": ("iu", "2")}
# What no motion has: beyond it arithmetic overflows, or files have no end.
_LARGEST = {"time": 1e10, "joints": 1e6, "translation": 1e6, "betas": 1e3, "keypoints": 1e9}
_MOST_FRAMES = 10**7  # three days
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
    span = motion.span and (float(motion.span[0]), float(motion.span[1]))
    write(replace(motion, fps=float(motion.fps), time=np.asarray(motion.time, np.float64), span=span), path)
    return path


def load_motion_file(path: str | Path) -> Motion:
    """Read what `save_motion` wrote as .npz. Raises MissingFileError; FormatError when damaged or not consistent."""
    arrays = read_arrays(Path(path), tuple(_SHAPES), remedy="give a motion.npz that pose2mesh wrote")
    try:
        motion = _of_arrays(arrays)
        check_motion(motion)
    except InputError as error:
        raise FormatError(f"{path} is damaged: {error}") from error
    return motion


def _of_arrays(arrays: dict[str, np.ndarray]) -> Motion:
    shapes = _SHAPES | {name: kind for name, kind in _OPTIONAL.items() if name in arrays}
    cameras = _CAMERA if "camera_focal" in arrays else {}
    if missing := [name for name in cameras if name not in arrays]:
        raise FormatError(f"it has a camera, but no {missing[0]}")
    check_shapes(arrays, shapes | cameras, "motion.")
    values: dict[str, Any] = {name: arrays[name] for name in shapes}
    for name in ("joint_names", "bone_names"):
        values[name] = tuple(values[name].tolist())
    camera = None
    if "camera_focal" in arrays:
        center, size = arrays["camera_center"].tolist(), arrays["camera_image_size"].tolist()
        camera = Camera(float(arrays["camera_focal"]), tuple(center), np.zeros(3), tuple(size) if any(size) else None)
    if "span" in values:
        values["span"] = tuple(values["span"].tolist())
    values |= {"fps": float(values["fps"]), "body": str(values["body"]), "camera": camera}
    return Motion(**values)


def check_motion(motion: Motion) -> None:
    """Raise InputError, naming the field, unless shapes agree, numbers are those of a motion and rows are in order."""
    given = {**_SHAPES, **{name: kind for name, kind in _OPTIONAL.items() if getattr(motion, name) is not None}}
    arrays = {name: np.asarray(getattr(motion, name)) for name in given}
    check_shapes(arrays, given, "motion.")
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(f"motion.{name} holds values that are not finite")
        if name in _LARGEST and np.abs(array).max(initial=0) > _LARGEST[name]:
            raise InputError(f"motion.{name} holds values beyond {_LARGEST[name]:g}")
    if not len(motion):
        raise InputError("the motion has no rows: nobody was found, so there is nothing to write")
    if not motion.fps > 0:
        raise InputError(f"motion.fps is {motion.fps}; expected frames per second > 0")
    first, last = motion.span or (motion.time.min(), motion.time.max())
    if not 0 <= (last - first) * motion.fps <= _MOST_FRAMES:
        name = "span" if motion.span else "time"
        raise InputError(
            f"motion.{name} goes from {first:g} to {last:g} s, which is no motion at {motion.fps:g} a second"
        )
    if motion.frame.min() < 0:
        raise InputError("motion.frame holds numbers below 0")
    if not _are_rotations(motion.rotations):
        raise InputError("motion.rotations holds matrices that are no rotations")
    world, camera = motion.world_from_camera, motion.camera
    if world is not None and not (_are_rotations(world[:3, :3]) and np.array_equal(world[3], (0, 0, 0, 1))):
        raise InputError("motion.world_from_camera is no rotation and shift")
    if camera is not None and not (0 < camera.focal < np.inf and np.isfinite(camera.center).all()):
        raise InputError(f"motion.camera has a focal length of {camera.focal} and its center at {camera.center}")
    _check_body(motion)
    order = np.lexsort((motion.track, motion.frame))
    keys = {*zip(motion.frame.tolist(), motion.track.tolist(), strict=True)}
    if (order != np.arange(len(order))).any() or len(keys) < len(order):
        raise InputError("motion rows are not one per frame and track, in the order of frames, then tracks")
    for track in motion.tracks:
        if (np.diff(motion.time[motion.track == track]) <= 0).any():
            raise InputError(f"motion.time does not increase from frame to frame of track {track}")


def _are_rotations(matrices: np.ndarray) -> bool:
    """Whether all of [..., 3, 3] are: neither stretched nor mirrored."""
    matrices = matrices.astype(np.float64)
    off = np.abs(matrices @ matrices.swapaxes(-1, -2) - np.eye(3)).max()
    return bool(off <= _ORTHOGONAL and (np.linalg.det(matrices) > 0).all())


def _check_body(motion: Motion) -> None:
    """Raise InputError where the parameters are not the body's; a licensed body that is not here is not asked."""
    with suppress(MissingFileError, MissingDependencyError):
        names, count, width = _parameters_of(motion.body)
        if motion.betas.shape[1] != width:
            raise InputError(f"motion.betas has {motion.betas.shape[1]} columns; {motion.body} takes {width}")
        if len(motion.bone_names) != count:
            raise InputError(f"motion.rotations are of {len(motion.bone_names)} bones; {motion.body} takes {count}")
        if names and motion.bone_names != names:
            raise InputError(f"motion.bone_names are not those of {motion.body}, or in another order")


def _parameters_of(body: str) -> tuple[tuple[str, ...], int, int]:
    """Names of a body's bones, where they are ours, their number and that of its shape components."""
    from pose2mesh.body_models import load_body_model  # imports torch

    model = load_body_model(body)
    return model.captured, len(model.captured or model.bone_names), model.num_shape


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
