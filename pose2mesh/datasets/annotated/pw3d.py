"""3DPW (von Marcard et al. 2018): the release's `3DPW_latest_{split}.json`, or the sequence files as published.

`FOLDER/data/3DPW_latest_{train,validation,test}.json` with `FOLDER/data/darkpose_3dpw_{split}set_output.json`, or
`FOLDER/sequenceFiles/{split}/*.pkl`. Everything is metres; the JSON's SMPL parameters are in camera axes already, those
of the sequence files in the world, seen by a moving camera.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pose2mesh.body_models.unpickling import read_values
from pose2mesh.datasets.annotated.files import Entry, has_box, image_of, joints_by_id, read_coco, with_confidence
from pose2mesh.datasets.annotated.parameters import body_parameters, pinhole, sample_of, smpl_of
from pose2mesh.datasets.sample import FittedBody, Joints2D, Joints3D, Sample, SampleCamera
from pose2mesh.errors import FormatError, MissingFileError

_REMEDY = "get the parsed 3DPW data that the Pose2Mesh release lists, or 3DPW's own files (docs/data.md)"
_LISTS = ("betas", "poses", "trans", "jointPositions", "genders", "campose_valid", "poses2d")  # one item a person
_FIELDS = (*_LISTS, "sequence", "cam_poses", "cam_intrinsics")
_GENDERS = {"m": "smpl-male", "f": "smpl-female"}


def read_pw3d(folder: Path, split: str = "test", *, with_detections: bool = True) -> Iterator[Sample]:
    """People of train, validation or test, in the order of the files. Raises MissingFileError, FormatError.

    The release's JSON is read where it is there, the sequence files otherwise. Only the JSON has detections.
    """
    if (folder / "data" / f"3DPW_latest_{split}.json").is_file():
        return _read_json(folder / "data", split, with_detections)
    sequences = sorted((folder / "sequenceFiles" / split).glob("*.pkl"))
    if not sequences:
        raise MissingFileError(
            f"neither {folder}/data/3DPW_latest_{split}.json nor {folder}/sequenceFiles/{split}/*.pkl; {_REMEDY}"
        )
    return (sample for path in sequences for sample in read_sequence(path))


def _read_json(folder: Path, split: str, with_detections: bool) -> Iterator[Sample]:
    images, annotations = read_coco(folder / f"3DPW_latest_{split}.json", _REMEDY)
    darkpose = folder / f"darkpose_3dpw_{split}set_output.json"
    is_needed = with_detections and split != "train"  # the release publishes none for training
    is_read = is_needed or (with_detections and darkpose.is_file())
    found = joints_by_id(darkpose, "annotation_id", 17, _REMEDY) if is_read else {}
    for annotation in annotations:
        if has_box(annotation):
            number = annotation.integer("id")
            if is_needed and number not in found:
                raise FormatError(f"{darkpose}: no detection with annotation_id {number}; {_REMEDY}")
            detections = Joints2D("coco17", found[number]) if number in found else None
            yield _sample_of_entry(annotation, image_of(annotation, images), detections)


def _sample_of_entry(annotation: Entry, image: Entry, detections: Joints2D | None) -> Sample:
    camera, fit = image.child("cam_param"), annotation.child("smpl_param")
    return sample_of(
        "pw3d",
        annotation,
        image,
        person_id=annotation.integer("person_id"),
        folder=f"{image.text('sequence')}/",
        group=image.text("sequence"),
        frame=image.integer("frame_idx"),
        camera=pinhole(camera.numbers("focal", (2,)), camera.numbers("princpt", (2,))),
        body=body_parameters(fit, smpl_of(fit)),
        joints=Joints3D("smpl24", annotation.numbers("joint_cam", (24, 3)), np.ones(24, bool)),
        labels=Joints2D("openpose18", with_confidence(annotation.numbers("openpose_result", (18, 3)))),
        detections=detections,
    )


def read_sequence(path: Path) -> Iterator[Sample]:
    """People of one sequence file, frame by frame, where the camera is known and a joint is in the picture.

    Raises FormatError naming file and entry; nothing in the file is run.
    """
    values = read_values(path, _FIELDS, _REMEDY)
    for name in (*_LISTS, "cam_poses"):
        if not isinstance(values[name], list) and np.ndim(values[name]) == 0:
            raise FormatError(f"{path}: {name!r} is no list; {_REMEDY}")
    people, frames = len(values["betas"]), len(values["cam_poses"])
    _check(path, values, people, frames)
    intrinsics = values["cam_intrinsics"].astype(np.float32)
    focal, center = intrinsics[[0, 1], [0, 1]], intrinsics[:2, 2]
    for frame in range(frames):
        pose = values["cam_poses"][frame].astype(np.float32)  # [4, 4] world to camera
        camera = SampleCamera(pose[:3, :3], pose[:3, 3], focal, center)
        for person in range(people):
            if values["campose_valid"][person][frame]:
                sample = _sample_of_frame(values, person, frame, camera)
                if _is_in_picture(sample, center):
                    yield sample


def _sample_of_frame(values: dict[str, Any], person: int, frame: int, camera: SampleCamera) -> Sample:
    def of_person(name: str) -> np.ndarray:
        return np.asarray(values[name][person][frame], np.float32)

    body = FittedBody(
        model=_GENDERS[values["genders"][person]],
        rotvec=of_person("poses").reshape(24, 3),
        betas=np.asarray(values["betas"][person], np.float32).ravel()[:10],  # some sequences hold 300
        translation=of_person("trans"),
    )
    joints = camera.to_camera(of_person("jointPositions").reshape(24, 3))
    return Sample(
        dataset="pw3d",
        annotation_id=-1,
        image_id=frame,
        person_id=person,
        image=f"{values['sequence']}/image_{frame:05d}.jpg",
        image_size=(round(2 * float(camera.center[0])), round(2 * float(camera.center[1]))),
        group=values["sequence"],
        frame=frame,
        camera=camera,
        body=body,
        joints=Joints3D("smpl24", joints.astype(np.float32), np.ones(24, bool)),
        labels=Joints2D("openpose18", with_confidence(of_person("poses2d").T)),
    )


def _is_in_picture(sample: Sample, center: np.ndarray) -> bool:
    """Whether a joint is within the picture, whose middle is the principal point in this dataset."""
    assert sample.joints is not None
    pixels = sample.camera.project(sample.joints.points)  # [24, 2]
    return bool(((pixels >= 0) & (pixels < 2 * center)).all(1).any())


def _check(path: Path, values: dict[str, Any], people: int, frames: int) -> None:
    wanted = {"poses": (frames, 72), "trans": (frames, 3), "jointPositions": (frames, 72), "campose_valid": (frames,)}
    wanted |= {"poses2d": (frames, 3, 18)}
    for name in _LISTS:
        if len(values[name]) != people:
            raise FormatError(f"{path}: {name!r} has {len(values[name])} people, 'betas' {people}; {_REMEDY}")
        for array in values[name] if name in wanted else ():
            if np.shape(array) != wanted[name]:
                raise FormatError(f"{path}: {name!r} is {np.shape(array)}, expected {wanted[name]}; {_REMEDY}")
    shapes = {"cam_poses": (frames, 4, 4), "cam_intrinsics": (3, 3)}
    for name, shape in shapes.items():
        if np.shape(values[name]) != shape:
            raise FormatError(f"{path}: {name!r} is {np.shape(values[name])}, expected {shape}; {_REMEDY}")
    genders = [gender if isinstance(gender, str) else "" for gender in values["genders"]]
    if not isinstance(values["sequence"], str) or not set(genders) <= _GENDERS.keys():
        raise FormatError(f"{path}: 'sequence' is no text or 'genders' are not m and f; {_REMEDY}")
    if any(np.size(betas) < 10 for betas in values["betas"]):
        raise FormatError(f"{path}: 'betas' has fewer than 10 numbers; {_REMEDY}")
