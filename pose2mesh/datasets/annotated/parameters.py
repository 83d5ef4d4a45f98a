"""People, SMPL and MANO parameters as annotation files spell them."""

from typing import Any

import numpy as np

from pose2mesh.datasets.annotated.files import Entry
from pose2mesh.datasets.sample import FittedBody, Sample, SampleCamera

_LARGEST_BETA = 3.0  # deviations; fits beyond it are taken for failed in shape


def plausible_betas(betas: np.ndarray) -> np.ndarray:
    """The mean shape in place of fits with a component beyond 3, as in the release: [10] to [10]."""
    return np.zeros_like(betas) if (np.abs(betas) > _LARGEST_BETA).any() else betas


def sample_of(dataset: str, annotation: Entry, image: Entry, folder: str = "", **others: Any) -> Sample:
    """A person of a file in COCO's format, in a picture of a folder; `others` are the remaining fields."""
    told = {"person_id": 0, "frame": 0, "image": f"{folder}{image.text('file_name')}", **others}
    told["image_size"] = (image.integer("width"), image.integer("height"))
    return Sample(dataset, annotation.integer("id"), image.integer("id"), **told)


def body_parameters(entry: Entry, model: str, **others) -> FittedBody:
    """`pose`, `shape` and `trans` of an entry; `others` replace fields of the result."""
    bones = 16 if model.startswith("mano") else 24
    fields = {
        "model": model,
        "rotvec": entry.numbers("pose", (bones, 3)),
        "betas": others["betas"] if "betas" in others else entry.numbers("shape", (10,)),
        "translation": others["translation"] if "translation" in others else entry.numbers("trans", (3,)),
    }
    return FittedBody(**{**fields, **others})


def pinhole(focal: np.ndarray, center: np.ndarray) -> SampleCamera:
    """A camera whose frame is the world: for datasets that give everything in camera axes."""
    return SampleCamera(np.eye(3, dtype=np.float32), np.zeros(3, np.float32), focal, center)


def smpl_of(entry: Entry) -> str:
    """The body model of an entry's `gender`: male, female or neutral, or their first letters."""
    gender = entry.text("gender")
    names = {name[0]: name for name in ("male", "female", "neutral")}
    if gender not in (*names, *names.values()):
        raise entry.fault(f"has 'gender' = {gender[:20]!r}, expected male, female or neutral")
    return f"smpl-{names[gender[0]]}"
