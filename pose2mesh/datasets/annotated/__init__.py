"""Readers of annotation files by the name of the dataset; each yields `pose2mesh.datasets.sample.Sample`."""

from collections.abc import Iterator
from pathlib import Path

from pose2mesh.datasets.annotated.amass import read_amass
from pose2mesh.datasets.annotated.coco import read_coco_fits
from pose2mesh.datasets.annotated.freihand import read_freihand
from pose2mesh.datasets.annotated.human36m import read_human36m
from pose2mesh.datasets.annotated.muco import read_muco
from pose2mesh.datasets.annotated.pw3d import read_pw3d
from pose2mesh.datasets.annotated.surreal import read_surreal
from pose2mesh.datasets.sample import Dataset, Sample
from pose2mesh.errors import InputError
from pose2mesh.plugins import find, register

__all__ = ["Dataset", "read_samples"]

_WITH_VALIDATION = ("train", "validation", "test")
for _name, _dataset in {
    "human36m": Dataset(read_human36m, joints_are_measured=True, largest_misfit_m=0.025, has_detections=True),
    "coco": Dataset(read_coco_fits, largest_misfit_px=3.0),
    "muco": Dataset(read_muco, largest_misfit_m=0.045),
    "amass": Dataset(read_amass),
    "surreal": Dataset(read_surreal, sees_detections=True, has_detections=True),
    "pw3d": Dataset(read_pw3d, splits=_WITH_VALIDATION, has_detections=True),
    "freihand": Dataset(read_freihand, sees_detections=True, is_hand=True, has_detections=True),
}.items():
    register("dataset", _name, _dataset)


def read_samples(
    dataset: str, folder: str | Path, split: str = "train", *, with_detections: bool = True, **options
) -> Iterator[Sample]:
    """The people of one split of a dataset, in the order of its files.

    `folder` is the dataset's own, such as `data/Human36M` of the release; without `with_detections` the files of
    published detections are not looked for; `options` go to the reader (AMASS: `subsets`).

    Raises InputError for an unknown dataset or split, MissingFileError, FormatError.
    """
    found: Dataset = find("dataset", dataset)
    if split not in found.splits:
        raise InputError(f"{dataset} has no split {split!r}; give {' or '.join(found.splits)}")
    if found.has_detections:
        options["with_detections"] = with_detections
    return found.read(Path(folder), split, **options)
