"""Readers of annotation files by the name of the dataset; each yields `pose2mesh.datasets.sample.Sample`."""

from collections.abc import Callable, Iterator
from pathlib import Path

from pose2mesh.datasets.annotated.amass import read_amass
from pose2mesh.datasets.annotated.coco import read_coco_fits
from pose2mesh.datasets.annotated.freihand import read_freihand
from pose2mesh.datasets.annotated.human36m import read_human36m
from pose2mesh.datasets.annotated.muco import read_muco
from pose2mesh.datasets.annotated.pw3d import read_pw3d
from pose2mesh.datasets.annotated.surreal import read_surreal
from pose2mesh.datasets.sample import Sample
from pose2mesh.errors import InputError

READERS: dict[str, Callable[..., Iterator[Sample]]] = {
    "human36m": read_human36m,
    "coco": read_coco_fits,
    "muco": read_muco,
    "amass": read_amass,
    "surreal": read_surreal,
    "pw3d": read_pw3d,
    "freihand": read_freihand,
}
_WITH_DETECTIONS = ("human36m", "surreal", "pw3d", "freihand")
SPLITS = ("train", "validation", "test")


def read_samples(
    dataset: str, folder: str | Path, split: str = "train", *, with_detections: bool = True, **options
) -> Iterator[Sample]:
    """The people of one split of a dataset, in the order of its files.

    `folder` is the dataset's own, such as `data/Human36M` of the release; without `with_detections` the files of
    published detections are not looked for; `options` go to the reader (AMASS: `subsets`).

    Raises InputError for an unknown dataset or split, MissingFileError, FormatError.
    """
    if dataset not in READERS:
        raise InputError(f"unknown dataset {dataset!r}; known: {', '.join(READERS)}")
    if split not in SPLITS or (split == "validation" and dataset != "pw3d"):
        raise InputError(f"{dataset} has no split {split!r}; give train or test (pw3d also: validation)")
    if dataset in _WITH_DETECTIONS:
        options["with_detections"] = with_detections
    return READERS[dataset](Path(folder), split, **options)
