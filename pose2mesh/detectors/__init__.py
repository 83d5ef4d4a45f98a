"""Find people and hands in pictures: detectors behind one protocol, and the readers of what other detectors wrote."""

import importlib.util
from typing import Protocol

import numpy as np

from pose2mesh.errors import InputError, MissingDependencyError
from pose2mesh.types import Keypoints2D

__all__ = ["DETECTORS", "Detector", "get_detector"]

DETECTORS = ("auto", "mediapipe", "rtmlib", "none")


class Detector(Protocol):
    """Anything that finds the joints of people in a picture."""

    def detect(self, image: np.ndarray) -> Keypoints2D:
        """People in image uint8 [H, W, 3] RGB; P = 0 when there is nobody."""
        ...


class NoDetector:
    """The choice `none`: pictures are refused, keypoints go through."""

    def detect(self, image: np.ndarray) -> Keypoints2D:
        raise InputError("a picture needs a detector, and the detector is 'none'; use auto, or give keypoints")


def get_detector(name: str = "auto", kind: str = "body") -> Detector:
    """Detector of bodies or of hands, by name. `auto` takes mediapipe (offline) if installed, else rtmlib for bodies.

    `kind` is one of `KINDS`. Raises MissingDependencyError with the line to type when the package is missing,
    InputError for unknown names and for rtmlib on hands, whose left and right it does not tell.
    """
    if name not in DETECTORS:
        raise InputError(f"unknown detector {name!r}; known: {', '.join(DETECTORS)}")
    if name == "none":
        return NoDetector()
    if kind != "body":
        return _hand_detector(name, kind)
    if name == "auto":
        installed = [d for d in ("mediapipe", "rtmlib") if importlib.util.find_spec(d)]
        if not installed:
            raise MissingDependencyError("no detector is installed; pip install 'pose2mesh[detect]'")
        name = installed[0]
    if name == "mediapipe":
        from pose2mesh.detectors.mediapipe import MediaPipeDetector

        return MediaPipeDetector()
    from pose2mesh.detectors.rtmlib import RTMLibDetector

    return RTMLibDetector()


def _hand_detector(name: str, kind: str) -> Detector:
    if name == "rtmlib":
        raise InputError("detector rtmlib does not tell left hands from right ones; use --detector mediapipe")
    from pose2mesh.detectors.mediapipe_hands import MediaPipeHandDetector

    if kind == "hand":
        return MediaPipeHandDetector()
    from pose2mesh.detectors.body_with_hands import BodyWithHandsDetector

    return BodyWithHandsDetector()
