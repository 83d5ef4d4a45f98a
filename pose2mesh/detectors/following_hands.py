"""Hands in the frames of a video: each is looked at where its joints were, which takes no search.

All of the picture is searched at every N-th frame, and soon again while there is nobody or when somebody was lost.
"""

from typing import Protocol

import numpy as np

from pose2mesh.detectors.found_hands import Hand, is_of, to_hand_keypoints
from pose2mesh.detectors.palms import region_of_joints
from pose2mesh.detectors.regions import Region
from pose2mesh.types import Keypoints2D

SOON = 5  # frames from one search to the next where a hand is missing
NEW = 0.25  # share of a frame's own opinion in the side that a followed hand is on


class OfPictures(Protocol):
    """What finds hands in one picture, such as `HandDetector`."""

    def find(self, image: np.ndarray) -> list[Hand]: ...

    def look(self, image: np.ndarray, region: Region, most: int) -> Hand | None: ...


class HandVideo:
    """`detect` frame after frame."""

    def __init__(self, detector: OfPictures, every: int) -> None:
        self._detector, self._every = detector, every
        self._hands: list[Hand] = []
        self._frame, self._searched = 0, -every

    def detect(self, image: np.ndarray, time_s: float | None = None) -> Keypoints2D:
        """Hands in the next frame uint8 [H, W, 3] RGB, with their handedness. `time_s` of it is not needed here."""
        before = len(self._hands)
        self._hands = self._follow(image)
        is_missing = not self._hands or len(self._hands) < before
        if self._frame - self._searched >= (SOON if is_missing else self._every):
            self._searched = self._frame
            for hand in self._detector.find(image):
                if not any(is_of(hand, known) for known in self._hands):
                    self._hands.append(hand)
        self._frame += 1
        return to_hand_keypoints(self._hands, (image.shape[1], image.shape[0]))

    def _follow(self, image: np.ndarray) -> list[Hand]:
        """The hands that are where they should be now, each once."""
        followed: list[Hand] = []
        for hand in self._hands:
            now = self._detector.look(image, region_of_joints(hand.points), 1)
            if now is not None and not any(is_of(now, known) for known in followed):
                followed.append(now._replace(right=hand.right + NEW * (now.right - hand.right)))
        return followed
