"""From one photo to pictures and files, stage by stage: what a person at the command line waits for."""

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from pose2mesh.benchmarks.report import markdown
from pose2mesh.detectors import Detector, get_detector
from pose2mesh.detectors.conversion import in_joint_set
from pose2mesh.detectors.images import list_folder
from pose2mesh.errors import NoPersonFoundError, optional_import
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.rendering import render_overlay, render_views
from pose2mesh.viewer import people_page

LONGEST_SIDE = 1000  # pixels
TOTAL = "photo to overlay and GLB"
_COUNTED = ("detector", "network", "camera", "overlay", "glb")


@dataclass(frozen=True)
class PhotoRow:
    """One stage for all people of the photo: the best of several runs."""

    stage: str
    ms: float  # by the clock on the wall
    cpu_ms: float  # of all threads of this process


def measure_photo(photo: Path | None = None, detector: str = "auto", repeats: int = 5) -> list[PhotoRow]:
    """Warm stages of a photo, scaled to 1000 pixels; without a path it is the photographer of scikit-image.

    Raises InputError for a photo that is none, NoPersonFoundError where it shows nobody.
    """
    image = _scaled(photo)
    model = Pose2Mesh.from_pretrained("anny-body")
    finder = get_detector(detector, model.kind)
    people = model.predict(image, detector=finder)
    found = finder.detect(image)
    given = np.concatenate([found.points, found.confidence[..., None]], axis=-1)  # [P, J, 3]
    known = in_joint_set(found, model.network.joint_set)
    batch = torch.from_numpy(np.concatenate([known.points, known.confidence[..., None]], -1).astype(np.float32))
    size = (image.shape[1], image.shape[0])
    with tempfile.TemporaryDirectory() as name, torch.inference_mode():
        folder = Path(name)
        stages: dict[str, Callable[[], object]] = {
            "detector": lambda: finder.detect(image),
            "network": lambda: model(batch),
            "camera": lambda: model.predict(given, joint_set=found.joint_set, image_size=size),  # less the network
            "overlay": lambda: render_overlay(image, people),
            "side": lambda: [render_views(person, (90.0,)) for person in people],
            "obj": lambda: [person.save(folder / "a.obj") for person in people],
            "glb": lambda: [person.save(folder / "a.glb") for person in people],
            "html": lambda: people_page(people, folder / "a.html", image),
        }
        times = {stage: _best(run, repeats) for stage, run in stages.items()}
    times["camera"] = np.maximum(times["camera"] - times["network"], 0)
    times[TOTAL] = np.sum([times[stage] for stage in _COUNTED], axis=0)
    return [PhotoRow(stage, *(1000 * seconds).round(1).tolist()) for stage, seconds in times.items()]


@dataclass(frozen=True)
class FolderRow:
    """Photos of as many people: from pixels to overlay and GLB by the clock, the best of several runs of each."""

    people: int
    photos: int
    median_ms: float
    least_ms: float
    most_ms: float


def measure_folder(folder: Path, detector: str = "auto", repeats: int = 5) -> list[FolderRow]:
    """Warm totals of all photos of a folder, each scaled to 1000 pixels, by the number of people found in it.

    Raises InputError for a folder without photos.
    """
    model = Pose2Mesh.from_pretrained("anny-body")
    finder = get_detector(detector, model.kind)
    times: dict[int, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name, torch.inference_mode():
        for path in list_folder(folder):
            image = _scaled(path)
            run = partial(_to_overlay_and_glb, model, finder, image, Path(name) / "a.glb")
            times[len(finder.detect(image))].append(1000 * _best(run, repeats)[0])
    totals = [(people, len(ms), np.median(ms), min(ms), max(ms)) for people, ms in sorted(times.items())]
    return [FolderRow(people, photos, *np.round(ms, 1).tolist()) for people, photos, *ms in totals]


def _to_overlay_and_glb(model: Pose2Mesh, finder: Detector, image: np.ndarray, path: Path) -> None:
    with suppress(NoPersonFoundError):
        people = model.predict(image, detector=finder)
        render_overlay(image, people)
        for person in people:
            person.save(path)


def folder_table(rows: list[FolderRow]) -> str:
    cells = (
        (str(row.people), str(row.photos), *(f"{ms:.0f}" for ms in (row.median_ms, row.least_ms, row.most_ms)))
        for row in rows
    )
    return markdown(("people", "photos", "median, ms", "least", "most"), cells)


def table(rows: list[PhotoRow]) -> str:
    cells = ((row.stage, f"{row.ms:.1f}", f"{row.cpu_ms:.1f}") for row in rows)
    return markdown(("stage", "ms", "ms of processor time"), cells)


def _scaled(photo: Path | None) -> np.ndarray:
    """The photo as uint8 [H, W, 3], its longest side 1000 pixels."""
    from pose2mesh.detectors.images import read_image
    from pose2mesh.rendering.contact_sheet import shrink

    if photo is not None:
        image = read_image(photo)
    else:
        with optional_import("no photo: name one, or pip install 'pose2mesh[demo]'"):
            from skimage.data import camera
        image = np.repeat(camera()[..., None], 3, axis=-1)
    return shrink(image, LONGEST_SIDE / max(image.shape[:2]))


def _best(run: Callable[[], object], repeats: int) -> np.ndarray:
    """Seconds on the wall and of the processor, [2], each the least of the runs after a first one."""
    run()
    times = []
    for _ in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        run()
        times.append((time.perf_counter() - wall, time.process_time() - processor))
    return np.min(times, axis=0)
