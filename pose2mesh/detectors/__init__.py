"""Find people and hands in pictures: detectors behind one protocol, and the readers of what other detectors wrote."""

from typing import Protocol

import numpy as np

from pose2mesh.errors import InputError
from pose2mesh.types import Keypoints2D

__all__ = ["DETECTORS", "Detector", "get_detector"]

DETECTORS = ("auto", "blazepose", "blazepose-heavy", "mediapipe", "rtmlib", "none")


class Detector(Protocol):
    """Anything that finds the joints of people in a picture."""

    def detect(self, image: np.ndarray) -> Keypoints2D:
        """People in image uint8 [H, W, 3] RGB; P = 0 when there is nobody."""
        ...


class NoDetector:
    """The choice `none`: pictures are refused, keypoints go through."""

    def detect(self, image: np.ndarray) -> Keypoints2D:
        raise InputError("a picture needs a detector, and the detector is 'none'; use auto, or give keypoints")


class Chosen:
    """Another detector's people, without those that score low, and at most some."""

    def __init__(self, detector: Detector, max_people: int | None, min_score: float) -> None:
        self._detector, self._max_people, self._min_score = detector, max_people, min_score

    def video(self) -> "Chosen":
        """The detector's video mode, where it has one."""
        video = getattr(self._detector, "video", None)
        return self if video is None else Chosen(video(), self._max_people, self._min_score)

    def detect(self, image: np.ndarray, time_s: float | None = None) -> Keypoints2D:
        """People in image uint8 [H, W, 3] RGB, in the detector's order: the largest first with `auto`."""
        found = self._detector.detect(image)
        seen = np.maximum((found.confidence > 0).sum(-1), 1)  # [P]
        found = found.select(found.confidence.sum(-1) / seen >= self._min_score)
        return found.select(np.arange(len(found)) < (self._max_people or len(found)))


def get_detector(
    name: str = "auto", kind: str = "body", max_people: int | None = None, min_score: float = 0.0
) -> Detector:
    """Detector of bodies or of hands, by name; `auto` is blazepose, with hands MediaPipe Hands' networks.

    `kind` is body, hand or body+hands. At most `max_people` are kept, those whose seen joints have a mean confidence of
    at least `min_score`. Raises MissingDependencyError with the line to type when a package is missing, InputError for
    unknown names and for detectors that find no hands.
    """
    if name not in DETECTORS:
        raise InputError(f"unknown detector {name!r}; known: {', '.join(DETECTORS)}")
    detector = _bodies(name) if kind == "body" or name == "none" else _hands(name, kind)
    return Chosen(detector, max_people, min_score) if max_people or min_score else detector


def _bodies(name: str) -> Detector:
    if name == "none":
        return NoDetector()
    if name == "mediapipe":
        from pose2mesh.detectors.mediapipe import MediaPipeDetector

        return MediaPipeDetector()
    if name == "rtmlib":
        from pose2mesh.detectors.rtmlib import RTMLibDetector

        return RTMLibDetector()
    from pose2mesh.detectors.blazepose import BlazePoseDetector

    return BlazePoseDetector("heavy" if name == "blazepose-heavy" else "full")


def _hands(name: str, kind: str) -> Detector:
    if name not in ("auto", "blazepose"):
        raise InputError(
            f"detector {name} finds no hands or does not tell left hands from right ones; use --detector auto"
        )
    from pose2mesh.detectors.hands import HandDetector

    if kind == "hand":
        return HandDetector()
    from pose2mesh.detectors.body_with_hands import BodyWithHandsDetector

    return BodyWithHandsDetector()
