"""MuCo-3DHP (Mehta et al. 2018) with SMPL fits by SMPLify-X: `FOLDER/data/{MuCo-3DHP,smpl_param}.json`.

Joints are millimetres in the camera frame, fits metres in the same frame. Of each picture the person nearest to the
camera is taken, as in the release: the others are often hidden.
"""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np

from pose2mesh.datasets.annotated.files import Entry, has_box, image_of, read_coco, read_entry
from pose2mesh.datasets.annotated.parameters import body_parameters, pinhole, plausible_betas, sample_of
from pose2mesh.datasets.sample import Joints3D, Sample
from pose2mesh.errors import InputError
from pose2mesh.skeletons import joint_set

_REMEDY = "get the MuCo data and SMPL parameters that the Pose2Mesh release lists (docs/data.md)"
_MM = np.float32(1000)
_PELVIS = 14
# Rows of the file's 21 joints by which the release judges a fit in Human3.6M's set. It compares what both sets call
# `Head`, here the middle of the head, there its top; its limit of 45 mm was chosen so.
_ROWS = {
    "pelvis": _PELVIS,
    "head_top": 16,
    **{f"right_{name}": row for name, row in zip(("shoulder", "elbow", "wrist"), (2, 3, 4), strict=True)},
    **{f"left_{name}": row for name, row in zip(("shoulder", "elbow", "wrist"), (5, 6, 7), strict=True)},
    **{f"right_{name}": row for name, row in zip(("hip", "knee", "ankle"), (8, 9, 10), strict=True)},
    **{f"left_{name}": row for name, row in zip(("hip", "knee", "ankle"), (11, 12, 13), strict=True)},
}
_JOINTS = joint_set("human36m17")


def read_muco(folder: Path, split: str = "train") -> Iterator[Sample]:
    """The nearest person of each picture, if it has a fit. Raises MissingFileError, FormatError, InputError (split)."""
    if split != "train":
        raise InputError(f"MuCo is for training only, it has no split {split!r}")
    images, annotations = read_coco(folder / "data" / "MuCo-3DHP.json", _REMEDY)
    fits = read_entry(folder / "data" / "smpl_param.json", _REMEDY)
    by_image = sorted(annotations, key=_image_id)  # stable: the order of the file within a picture
    for _, people in groupby(by_image, key=_image_id):
        nearest = min(people, key=_depth)
        number = nearest.integer("id")
        if has_box(nearest) and number in fits and _is_finite(fits.child(number)):
            yield _sample(nearest, image_of(nearest, images), fits.child(number))


def _image_id(annotation: Entry) -> int:
    return annotation.integer("image_id")


def _depth(annotation: Entry) -> float:
    return float(annotation.numbers("keypoints_cam", (21, 3))[_PELVIS, 2])


def _is_finite(fit: Entry) -> bool:
    """Some published fits are NaN; the release leaves those people out."""
    return all(np.isfinite(fit.any_numbers(key)).all() for key in ("pose", "shape", "trans"))


def _sample(annotation: Entry, image: Entry, fit: Entry) -> Sample:
    measured = annotation.numbers("keypoints_cam", (21, 3)) / _MM
    joints, valid = np.zeros((len(_JOINTS), 3), np.float32), np.zeros(len(_JOINTS), bool)
    for name, row in _ROWS.items():
        joints[_JOINTS.index(name)], valid[_JOINTS.index(name)] = measured[row], True
    return sample_of(
        "muco",
        annotation,
        image,
        group="train",
        camera=pinhole(image.numbers("f", (2,)), image.numbers("c", (2,))),
        body=body_parameters(fit, "smpl-neutral", betas=plausible_betas(fit.numbers("shape", (10,)))),
        joints=Joints3D(_JOINTS.name, joints, valid),
    )
