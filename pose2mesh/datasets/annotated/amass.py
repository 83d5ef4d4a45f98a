"""AMASS (Mahmood et al. 2019) from its official files, before the four cameras of Human3.6M.

`FOLDER/data/{CMU,...}/{subject}/*_poses.npz` (the release's layout), or the same below FOLDER itself; `*_stageii.npz`
of the later archives too. There are no pictures: each pose stands 10 m before a camera of 1,500 px focal length.
"""

import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch

from pose2mesh.datasets.sample import FittedBody, Sample, SampleCamera
from pose2mesh.errors import FormatError, InputError, MissingFileError
from pose2mesh.geometry.procrustes import best_rotation
from pose2mesh.npz import read_arrays

_REMEDY = "get the SMPL+H archives from https://amass.is.tue.mpg.de (docs/data.md)"
_SUFFIXES = ("_poses.npz", "_stageii.npz")
_EVERY = {"cmu": 60, "bmlrub": 10, "bmlmovi": 10, "mpi_mosh": 10}  # frames, by part of AMASS; those of the release
_EVERY_OTHER = 5
_SMPLX_NUMBERS = 165  # of a pose: 55 bones
_BODY_BONES = 22  # SMPL+H and SMPL-X continue with fingers and face, where SMPL has one bone for each hand
# World (z up) to camera axes of Human3.6M's four cameras, rounded to 1e-4 and made orthonormal again.
_CAMERAS = (
    ((-0.9154, 0.4018, 0.0257), (0.0515, 0.1804, -0.9822), (-0.3993, -0.8978, -0.1858)),
    ((0.9282, 0.3722, 0.0022), (0.0817, -0.1978, -0.9768), (-0.3631, 0.9069, -0.2140)),
    ((-0.9142, -0.4028, -0.0457), (-0.0456, 0.2143, -0.9757), (0.4028, -0.8899, -0.2143)),
    ((0.9142, -0.4006, 0.0619), (-0.0564, -0.2770, -0.9592), (0.4014, 0.8734, -0.2758)),
)
_DISTANCE, _FOCAL, _CENTER = 10.0, 1500.0, 500.0


def read_amass(folder: Path, split: str = "train", subsets: Sequence[str] = ("CMU",)) -> Iterator[Sample]:
    """Four views of every 60th frame of CMU (others: every 10th or 5th); `subsets` are folder names in any case.

    Raises MissingFileError, FormatError naming file and array, InputError for another split.
    """
    if split != "train":
        raise InputError(f"AMASS is for training only, it has no split {split!r}")
    root = folder / "data" if (folder / "data").is_dir() else folder
    for subset in subsets:
        folders = sorted(path for path in root.glob("*") if path.is_dir() and path.name.lower() == subset.lower())
        files = [path for folder in folders for path in _sequences(folder)]
        if not files:
            raise MissingFileError(f"no *_poses.npz or *_stageii.npz below {root / subset}; {_REMEDY}")
        for path in files:
            yield from _read_file(path, subset.lower())


def _sequences(folder: Path) -> list[Path]:
    """Recordings below a folder, linked folders too; a folder that several links lead to counts once."""
    found, seen = [], {*folder.resolve().parents}
    for place, below, names in os.walk(folder, followlinks=True):
        below.sort()
        inside = Path(place).resolve()
        if inside in seen:  # a second link, or one that leads back up
            below.clear()
            continue
        seen.add(inside)
        found += [Path(place, name) for name in names if name.endswith(_SUFFIXES)]
    return sorted(found)


def _read_file(path: Path, subset: str) -> Iterator[Sample]:
    arrays = read_arrays(path, ("poses", "betas"), remedy=_REMEDY)
    poses, betas = arrays["poses"], arrays["betas"].ravel()
    if not _has_smpls_shape(arrays):
        betas = np.zeros(10)
    if poses.ndim != 2 or poses.shape[1] < 3 * _BODY_BONES or len(betas) < 10:
        raise FormatError(
            f"{path}: 'poses' is {poses.shape}, 'betas' {betas.shape}, expected (N, 156), (16,); {_REMEDY}"
        )
    if not {poses.dtype.kind, betas.dtype.kind} <= set("iuf"):
        raise FormatError(f"{path}: 'poses' or 'betas' holds other values than numbers; {_REMEDY}")
    if not (np.isfinite(poses).all() and np.isfinite(betas).all()):
        raise FormatError(f"{path}: 'poses' or 'betas' holds numbers that are not finite; {_REMEDY}")
    for frame in range(0, len(poses), _EVERY.get(subset, _EVERY_OTHER)):
        rotvec = np.zeros((24, 3), np.float32)  # hands as in the template
        rotvec[:_BODY_BONES] = poses[frame, : 3 * _BODY_BONES].reshape(_BODY_BONES, 3)
        body = FittedBody(
            "smpl-neutral", rotvec, betas[:10].astype(np.float32), np.zeros(3, np.float32), turns_about_root=True
        )
        for view, camera in enumerate(_cameras()):
            yield Sample(
                dataset="amass",
                annotation_id=-1,
                image_id=-1,
                person_id=view,
                image="",
                image_size=(int(2 * _CENTER) + 1, int(2 * _CENTER) + 1),
                group=f"{subset}/{path.parent.name}/{path.stem}",
                frame=frame,
                camera=camera,
                body=body,
            )


def _has_smpls_shape(arrays: dict[str, np.ndarray]) -> bool:
    """Whether the betas count in SMPL's shape space; SMPL-X, which *_stageii.npz may hold, has one of its own."""
    if "surface_model_type" in arrays:
        return str(arrays["surface_model_type"]) in ("smpl", "smplh")
    return arrays["poses"].ndim != 2 or arrays["poses"].shape[1] != _SMPLX_NUMBERS


@cache
def _cameras() -> list[SampleCamera]:
    cameras = []
    for rows in _CAMERAS:
        cameras.append(
            SampleCamera(
                rotation=best_rotation(torch.tensor(rows, dtype=torch.float64))[0].float().numpy(),
                translation=np.array([0, 0, _DISTANCE], np.float32),
                focal=np.full(2, _FOCAL, np.float32),
                center=np.full(2, _CENTER, np.float32),
            )
        )
    return cameras
