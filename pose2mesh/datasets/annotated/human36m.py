"""Human3.6M (Ionescu et al. 2014) as the Pose2Mesh release parsed it, with SMPL fits by SMPLify-X.

`FOLDER/annotations/Human36M_subject{N}_{data,camera,joint_3d,smpl_param}.json` and, for testing,
`FOLDER/absnet_output_on_testset.json`. Joints and camera translations are millimetres in the files.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pose2mesh.datasets.annotated.files import (
    Entry,
    as_found,
    has_box,
    image_of,
    read_coco,
    read_entry,
    with_confidence,
)
from pose2mesh.datasets.annotated.parameters import body_parameters, plausible_betas, sample_of
from pose2mesh.datasets.sample import Joints2D, Joints3D, Sample, SampleCamera
from pose2mesh.skeletons import joint_set

SUBJECTS = {"train": (1, 5, 6, 7, 8), "test": (9, 11)}
EVERY = {"train": 5, "test": 50}  # frames, of all four cameras
ACTIONS = (  # action_idx 2 to 16
    "Directions", "Discussion", "Eating", "Greeting", "Phoning", "Posing", "Purchases", "Sitting", "SittingDown",
    "Smoking", "Photo", "Waiting", "Walking", "WalkDog", "WalkTogether",
)  # fmt: skip
_FIRST_ACTION = 2
_JOINTS = joint_set("human36m17")
_REMEDY = "get the parsed Human3.6M data and SMPL parameters that the Pose2Mesh release lists (docs/data.md)"
_MM = np.float32(1000)


def read_human36m(folder: Path, split: str = "train", *, with_detections: bool = True) -> Iterator[Sample]:
    """People of the split's subjects, every 5th (train) or 50th (test) frame, in the order of the files.

    Frames without an SMPL fit are left out, as in the release. Raises MissingFileError, FormatError.
    """
    detections = _read_detections(folder) if split == "test" and with_detections else {}
    for subject in SUBJECTS[split]:
        yield from _read_subject(folder, subject, EVERY[split], detections)


def _read_subject(folder: Path, subject: int, every: int, detections: dict[str, Joints2D]) -> Iterator[Sample]:
    start = f"annotations/Human36M_subject{subject}_"
    images, annotations = read_coco(folder / f"{start}data.json", _REMEDY)
    files = [read_entry(folder / f"{start}{part}.json", _REMEDY) for part in ("camera", "joint_3d", "smpl_param")]
    cameras, joints, fits = files
    for annotation in annotations:
        image = image_of(annotation, images)
        frame = tuple(image.integer(key) for key in ("action_idx", "subaction_idx", "frame_idx"))
        if frame[-1] % every or not has_box(annotation) or not _holds(fits, frame):
            continue
        camera = read_camera(cameras.child(image.integer("cam_idx")))
        world = joints.child(*frame[:2]).numbers(frame[2], (17, 3)) / _MM
        yield _sample(annotation, image, camera, camera.to_camera(world), fits.child(*frame), detections)


def _sample(
    annotation: Entry, image: Entry, camera: SampleCamera, joints: np.ndarray, fit: Entry, detections: dict
) -> Sample:
    """One person; `joints` [17, 3] m in the camera frame."""
    pixels = camera.project(joints)  # [17, 2]
    return sample_of(
        "human36m",
        annotation,
        image,
        group=_action(image),
        frame=image.integer("frame_idx"),
        camera=camera,
        body=body_parameters(fit, "smpl-neutral", betas=plausible_betas(fit.numbers("shape", (10,)))),
        joints=Joints3D(_JOINTS.name, joints, np.ones(len(_JOINTS), bool)),
        labels=Joints2D(_JOINTS.name, with_confidence(pixels)),
        detections=detections.get(Path(image.text("file_name")).name),
    )


def read_camera(entry: Entry) -> SampleCamera:
    """R, t in millimetres, f and c in pixels."""
    return SampleCamera(
        rotation=entry.numbers("R", (3, 3)),
        translation=entry.numbers("t", (3,)) / _MM,
        focal=entry.numbers("f", (2,)),
        center=entry.numbers("c", (2,)),
    )


def _action(image: Entry) -> str:
    number = image.integer("action_idx") - _FIRST_ACTION
    if not 0 <= number < len(ACTIONS):
        raise image.fault(f"has action_idx {number + _FIRST_ACTION}, expected 2 to 16")
    return ACTIONS[number]


def _holds(fits: Entry, keys: tuple[int, ...]) -> bool:
    content = fits.content
    for key in keys:
        if not isinstance(content, dict) or str(key) not in content:
            return False
        content = content[str(key)]
    return True


def _read_detections(folder: Path) -> dict[str, Joints2D]:
    entry = read_entry(folder / "absnet_output_on_testset.json", _REMEDY)
    found = {}
    for path in entry.content:
        points = entry.any_numbers(path)
        if points.ndim != 2 or len(points) != 17 or points.shape[1] < 2 or not np.isfinite(points).all():
            raise entry.fault(f"has no finite x, y of 17 joints under {path!r}")
        found[Path(path).name] = Joints2D(_JOINTS.name, as_found(points))
    return found
