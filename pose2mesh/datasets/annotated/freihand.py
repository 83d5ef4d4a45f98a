"""FreiHAND (Zimmermann et al. 2019) as the release parsed it: `FOLDER/data/freihand_{train,eval}_{coco,data}.json`.

MANO parameters count from the mean hand pose. The network sees HRNet's detections in
`hrnet_output_on_{train,test}set.json`. The ground truth of the evaluation pictures came out later:
`evaluation_xyz.json` and `evaluation_verts.json`, metres, are read where they lie in `FOLDER/data` or `FOLDER`.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pose2mesh.datasets.annotated.files import Entry, has_box, image_of, joints_by_id, read_coco, read_entry, read_json
from pose2mesh.datasets.annotated.parameters import body_parameters, pinhole, sample_of
from pose2mesh.datasets.sample import FittedBody, Joints2D, Joints3D, Sample, SampleCamera
from pose2mesh.errors import FormatError, MissingFileError

_REMEDY = "get the parsed FreiHAND data and the detections that the Pose2Mesh release lists (docs/data.md)"
_FILES = {"train": "train", "test": "eval"}
_TRUTH = ("evaluation_xyz.json", "evaluation_verts.json")
_FARTHEST = 10.0  # metres; joints beyond it are millimetres


def read_freihand(folder: Path, split: str = "train", *, with_detections: bool = True) -> Iterator[Sample]:
    """One right hand a picture, in the order of the pictures' ids. Raises MissingFileError, FormatError."""
    data = folder / "data"
    images, annotations = read_coco(data / f"freihand_{_FILES[split]}_coco.json", _REMEDY)
    entries = read_entry(data / f"freihand_{_FILES[split]}_data.json", _REMEDY)
    detections_file = data / f"hrnet_output_on_{split}set.json"
    detections = joints_by_id(detections_file, "image_id", 21, _REMEDY) if with_detections else {}
    truth = _read_truth(folder) if split == "test" else None
    for annotation in sorted(annotations, key=lambda entry: entry.integer("image_id")):
        image = image_of(annotation, images)
        if split == "train" and not has_box(annotation):
            continue
        if with_detections and image.integer("id") not in detections:
            raise FormatError(f"{detections_file}: no detection with image_id {image.integer('id')}; {_REMEDY}")
        found = Joints2D("hand21", detections[image.integer("id")]) if with_detections else None
        entry = entries.child(image.integer("db_idx"))
        if split == "train":
            entry.child("mano_param")  # the evaluation files have none
        yield _sample(annotation, image, entry, found, truth)


def _sample(annotation: Entry, image: Entry, entry: Entry, detections: Joints2D | None, truth: tuple | None) -> Sample:
    camera = entry.child("cam_param")
    seen = pinhole(camera.numbers("focal", (2,)), camera.numbers("princpt", (2,)))
    body, joints, vertices = None, None, None
    if "mano_param" in entry:
        seen, body = _hand(entry, seen)
        joints = _metres(entry.numbers("joint_3d", (21, 3)))
    elif truth is not None:
        joints, vertices = _row_of_truth(image, truth)
    return sample_of(
        "freihand",
        annotation,
        image,
        group="freihand",
        frame=image.integer("db_idx"),
        camera=seen,
        body=body,
        joints=None if joints is None else Joints3D("hand21", joints, np.ones(21, bool)),
        detections=detections,
        vertices=vertices,
    )


def _hand(entry: Entry, seen: SampleCamera) -> tuple[SampleCamera, FittedBody]:
    """Camera and MANO parameters: the release's with R and t beside the camera, the later version's with `trans`."""
    camera, fit = entry.child("cam_param"), entry.child("mano_param")
    flags = {"turns_about_root": True, "adds_mean_pose": True}
    if "trans" in fit:
        return seen, body_parameters(fit, "mano-right", **flags)
    rotation, translation = camera.numbers("R", (3, 3)), camera.numbers("t", (3,))
    body = body_parameters(fit, "mano-right", translation=np.zeros(3, np.float32), **flags)
    return SampleCamera(rotation, translation, seen.focal, seen.center), body


def _metres(joints: np.ndarray) -> np.ndarray:
    return joints / np.float32(1000) if np.abs(joints).max() > _FARTHEST else joints


def missing_truth(folder: str | Path) -> list[Path]:
    """Those files of the evaluation pictures' ground truth that are not there yet, where they belong."""
    data = Path(folder) / "data"
    return [data / name for name in _TRUTH if not any((place / name).is_file() for place in (data, data.parent))]


def check_truth(folder: str | Path) -> None:
    """Raise MissingFileError naming each file without which the evaluation pictures cannot be measured."""
    if missing := missing_truth(folder):
        raise MissingFileError(
            f"no ground truth to measure against: {' and '.join(map(str, missing))} not found; get the ground truth of "
            "the evaluation pictures from FreiHAND's page (docs/data.md); `pose2mesh test --predictions OUT` writes "
            "the server's file without it"
        )


def _read_truth(folder: Path) -> tuple[Path, list, list] | None:
    """(file of joints, joints, vertices) of the evaluation pictures, or None before both are there."""
    if missing_truth(folder):
        return None
    places = (folder / "data", folder)
    joints, vertices = (next(p / name for p in places if (p / name).is_file()) for name in _TRUTH)
    contents = read_json(joints, _REMEDY), read_json(vertices, _REMEDY)
    if not all(isinstance(content, list) for content in contents):
        raise FormatError(f"{joints} or {vertices.name} is no JSON list; {_REMEDY}")
    return joints, *contents


def _row_of_truth(image: Entry, truth: tuple[Path, list, list]) -> tuple[np.ndarray, np.ndarray]:
    """Joints [21, 3] and vertices [778, 3] m of a picture, in the camera frame."""
    file, joints, vertices = truth
    index = image.integer("db_idx")
    try:
        if index < 0:
            raise IndexError
        with np.errstate(over="ignore"):  # to infinity, which is refused below
            found = np.array(joints[index], np.float32), np.array(vertices[index], np.float32)
    except (IndexError, TypeError, ValueError, OverflowError) as error:
        raise FormatError(f"{file}: row {index} or that of evaluation_verts.json is no array; {_REMEDY}") from error
    if found[0].shape != (21, 3) or found[1].shape != (778, 3):
        raise FormatError(f"{file}: row {index} is {found[0].shape}, its mesh {found[1].shape}; {_REMEDY}")
    if not all(np.isfinite(points).all() for points in found):
        raise FormatError(f"{file}: row {index} or that of evaluation_verts.json is not finite; {_REMEDY}")
    return found
