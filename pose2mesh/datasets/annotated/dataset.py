"""What a dataset is to those who train and test on it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf

from pose2mesh.datasets.sample import Sample


@dataclass(frozen=True)
class Dataset:
    """A reader, and how the release treats what it reads."""

    read: Callable[..., Iterator[Sample]]  # (folder, split): the people of a split in the order of the files
    splits: tuple[str, ...] = ("train", "test")
    is_hand: bool = False  # people are hands
    has_detections: bool = False  # `read` takes `with_detections`, whether their files are looked for
    sees_detections: bool = False  # the network sees published detections instead of projections
    joints_are_measured: bool = False  # joints and root of the mesh are the dataset's, not the fit's
    largest_misfit_m: float = inf  # mean distance of fitted and measured joints, beyond which a fit is not used
    largest_misfit_px: float = inf  # the same in the picture, in a box of 64 pixels
