"""COCO (Lin et al. 2014) with SMPL fits by SMPLify.

`FOLDER/annotations/person_keypoints_train2017.json` and `FOLDER/annotations/coco_smplify_train.json`. The fits know a
scaled orthographic camera only, so a sample has neither a place in space nor measured joints.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pose2mesh.datasets.annotated.files import Entry, has_box, image_of, read_coco, read_entry
from pose2mesh.datasets.annotated.parameters import body_parameters, plausible_betas, sample_of
from pose2mesh.datasets.sample import Joints2D, Sample, SampleCamera
from pose2mesh.errors import InputError

_REMEDY = "get COCO's 2017 annotations and the SMPL parameters that the Pose2Mesh release lists (docs/data.md)"


def read_coco_fits(folder: Path, split: str = "train") -> Iterator[Sample]:
    """Labeled people of train2017 that have a fit. Raises MissingFileError, FormatError, InputError (split)."""
    if split != "train":
        raise InputError(f"COCO has SMPL fits for its train split only, not for {split!r}")
    images, annotations = read_coco(folder / "annotations" / "person_keypoints_train2017.json", _REMEDY)
    fits = read_entry(folder / "annotations" / "coco_smplify_train.json", _REMEDY)
    for annotation in annotations:
        if annotation.integer("iscrowd") or not annotation.integer("num_keypoints") or not has_box(annotation):
            continue
        if annotation.integer("id") in fits:
            yield _sample(annotation, image_of(annotation, images), fits.child(annotation.integer("id")))


def _sample(annotation: Entry, image: Entry, fit: Entry) -> Sample:
    labels = annotation.numbers("keypoints", (17, 3))
    labels[:, 2] = labels[:, 2] > 0  # COCO: 0 not labeled, 1 labeled but hidden, 2 visible
    parameters = fit.child("smpl_param")
    return sample_of(
        "coco",
        annotation,
        image,
        folder="train2017/",
        group="train2017",
        camera=_camera(fit.child("cam_param")),
        body=body_parameters(
            parameters,
            "smpl-neutral",
            betas=plausible_betas(parameters.numbers("shape", (10,))),
            translation=np.zeros(3, np.float32),
        ),
        labels=Joints2D("coco17", labels),
    )


def _camera(entry: Entry) -> SampleCamera:
    """pixels = s * (x, y) + t with s in pixels per metre; the body is in camera axes already."""
    scale = entry.any_numbers("s").ravel()  # one number, or one for each axis
    if scale.size not in (1, 2) or not np.isfinite(scale).all():
        raise entry.fault("has no scale under 's'")
    return SampleCamera(
        rotation=np.eye(3, dtype=np.float32),
        translation=np.zeros(3, np.float32),
        focal=np.broadcast_to(scale, 2).astype(np.float32),
        center=entry.numbers("t", (2,)),
        is_orthographic=True,
    )
