"""SURREAL (Varol et al. 2017) as the release parsed it: `FOLDER/data/{train,val}.json` and HRNet's detections.

SMPL parameters are metres in the camera frame, of the gender that the entry names. The network sees the detections of
`hrnet_output_on_{train,val}set.json` (the release's README calls the second `..._testset`), in SMPL's 24 joints.
"""

from collections.abc import Iterator
from pathlib import Path

from pose2mesh.datasets.annotated.files import Entry, has_box, image_of, joints_by_id, read_coco
from pose2mesh.datasets.annotated.parameters import body_parameters, pinhole, sample_of, smpl_of
from pose2mesh.datasets.sample import Joints2D, Sample
from pose2mesh.errors import FormatError

_REMEDY = "get the parsed SURREAL data and the detections that the Pose2Mesh release lists (docs/data.md)"
_FILES = {"train": "train", "test": "val"}  # the release tests on SURREAL's val split


def read_surreal(folder: Path, split: str = "train", *, with_detections: bool = True) -> Iterator[Sample]:
    """One person a picture, in the order of the pictures' ids. Raises MissingFileError, FormatError."""
    name, data = _FILES[split], folder / "data"
    images, annotations = read_coco(data / f"{name}.json", _REMEDY)
    detections_file = _detections_file(data, name)
    detections = joints_by_id(detections_file, "image_id", 24, _REMEDY) if with_detections else {}
    first: dict[int, Entry] = {}
    for annotation in annotations:  # the release takes a picture's first person
        first.setdefault(annotation.integer("image_id"), annotation)
    for image_id, annotation in sorted(first.items()):
        if not has_box(annotation):
            continue
        if with_detections and image_id not in detections:
            raise FormatError(f"{detections_file}: no detection with image_id {image_id}; {_REMEDY}")
        found = Joints2D("smpl24", detections[image_id]) if with_detections else None
        yield _sample(annotation, image_of(annotation, images), found)


def _detections_file(data: Path, name: str) -> Path:
    path = data / f"hrnet_output_on_{name}set.json"
    other = data / "hrnet_output_on_testset.json"
    return other if name == "val" and not path.is_file() and other.is_file() else path


def _sample(annotation: Entry, image: Entry, detections: Joints2D | None) -> Sample:
    camera, fit = image.child("cam_param"), annotation.child("smpl_param")
    return sample_of(
        "surreal",
        annotation,
        image,
        group="surreal",
        camera=pinhole(camera.numbers("focal", (2,)), camera.numbers("princpt", (2,))),
        body=body_parameters(fit, smpl_of(fit)),
        detections=detections,
    )
