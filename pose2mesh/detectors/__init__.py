"""Find people and hands in pictures: detectors behind one protocol, and the readers of what other detectors wrote."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np

from pose2mesh.detectors.similarity import extent
from pose2mesh.errors import InputError
from pose2mesh.plugins import check_name, find, make, register
from pose2mesh.types import Keypoints2D

__all__ = ["Detector", "LiveDetector", "VideoDetector", "frame_finder", "get_detector"]


@runtime_checkable
class Detector(Protocol):
    """Anything that finds the joints of people in a picture.

    A class of them whose `kind` is hand, or body+hands, finds these; without a `kind` it finds bodies.
    """

    def detect(self, image: np.ndarray) -> Keypoints2D:
        """People in image uint8 [H, W, 3] RGB; P = 0 when there is nobody."""
        ...


@runtime_checkable
class VideoDetector(Detector, Protocol):
    """A detector with a mode of its own for videos."""

    def video(self) -> Any:
        """What finds the people of one video: its `detect` takes frame after frame and its time in s."""
        ...


@runtime_checkable
class LiveDetector(Detector, Protocol):
    """A detector with a mode for frames that cannot wait."""

    def live(self) -> Any:
        """As `VideoDetector.video`, without delay."""
        ...


class NoDetector:
    """The choice `none`: pictures are refused, keypoints go through."""

    def detect(self, image: np.ndarray) -> Keypoints2D:
        raise InputError("a picture needs a detector, and the detector is 'none'; use auto, or give keypoints")


class Chosen:
    """Another detector's people, without those that score low, and at most some: the largest."""

    def __init__(self, detector: Detector, max_people: int | None, min_score: float) -> None:
        self.detector, self._max_people, self._min_score = detector, max_people, min_score

    def detect(self, image: np.ndarray) -> Keypoints2D:
        """People in image uint8 [H, W, 3] RGB, in the detector's order."""
        return self.among(self.detector.detect(image))

    def among(self, found: Keypoints2D) -> Keypoints2D:
        """Those of the people of one picture, in their order."""
        seen = np.maximum((found.confidence > 0).sum(-1), 1)  # [P]
        sure = found.select(found.confidence.sum(-1) / seen >= self._min_score)
        sizes = np.array([extent(np.column_stack(one)) for one in zip(sure.points, sure.confidence, strict=True)])
        largest = np.argsort(-sizes, kind="stable")[: self._max_people]
        return sure.select(np.isin(np.arange(len(sure)), largest))


def frame_finder(detector: Detector, mode: str = "video") -> Callable[[np.ndarray, float], Keypoints2D]:
    """`find(image, time_s)` for picture after picture of one video: by the detector's own `mode`, where it has that."""
    if isinstance(detector, Chosen):
        find_all = frame_finder(detector.detector, mode)
        return lambda image, time_s: detector.among(find_all(image, time_s))
    if mode == "live" and isinstance(detector, LiveDetector):
        return detector.live().detect
    return detector.video().detect if isinstance(detector, VideoDetector) else lambda image, _: detector.detect(image)


def get_detector(
    name: str = "auto", kind: str = "body", max_people: int | None = None, min_score: float = 0.0
) -> Detector:
    """Detector of bodies or of hands, by name; `auto` is blazepose, with hands MediaPipe Hands' networks.

    `kind` is body, hand or body+hands. At most `max_people` are kept, those whose seen joints have a mean confidence of
    at least `min_score`. Raises MissingDependencyError with the line to type when a package is missing, InputError for
    unknown names and for detectors that find no hands.
    """
    check_name("detector", name)
    name = _BLAZEPOSE[kind] if name in ("auto", "blazepose") else name
    finds = getattr(find("detector", name), "kind", "body")
    if name != "none" and finds != kind:
        what = "no hands, or does not tell left hands from right ones" if finds == "body" else f"{finds}, not {kind}"
        raise InputError(f"detector {name} finds {what}; use --detector auto")
    detector = make("detector", name)
    return Chosen(detector, max_people, min_score) if max_people or min_score else detector


_BLAZEPOSE = {"body": "blazepose", "hand": "blazepose-hands", "body+hands": "blazepose-with-hands"}
for _name, _place in {
    "auto": "blazepose:BlazePoseDetector",  # with hands, that of _BLAZEPOSE
    "blazepose": "blazepose:BlazePoseDetector",
    "blazepose-heavy": "blazepose:HeavyBlazePoseDetector",
    "blazepose-hands": "hands:HandDetector",
    "blazepose-with-hands": "hands:BodyWithHandsDetector",
    "mediapipe": "other_packages:MediaPipeDetector",
    "rtmlib": "other_packages:RTMLibDetector",
}.items():
    register("detector", _name, f"pose2mesh.detectors.{_place}")
register("detector", "none", NoDetector)
