"""People in the frames of a video: each is followed from frame to frame, which costs one look at one crop.

The finder looks again at every N-th frame, and at once when somebody was lost; whom it does not find twice in a row is
let go. Tiles are searched for small people in the first frame only.
"""

from typing import Any, Protocol

import numpy as np

from pose2mesh.detectors.finder import find_people
from pose2mesh.detectors.landmarks import look
from pose2mesh.detectors.people import AGREE, PRESENT, Found, distinct, poses_of, to_keypoints
from pose2mesh.detectors.similarity import similarity
from pose2mesh.skeletons import COCO_ROWS
from pose2mesh.types import Keypoints2D

EMPTY = 5  # frames between two searches while nobody is in the picture
DOUBTS = 2  # searches in a row that may not find a person who is followed


class OfPictures(Protocol):
    """What finds people in one picture, such as `BlazePoseDetector`."""

    finder: Any  # the networks' sessions
    landmarks: Any

    def confirm(self, image: np.ndarray, poses: np.ndarray) -> list[Found]: ...


class VideoDetector:
    """`detect` frame after frame; `tracks` of the answer are the same numbers while a person is followed."""

    def __init__(self, detector: OfPictures, every: int) -> None:
        self._detector, self._every = detector, every
        self._people: list[Found] = []
        self._doubts: dict[int | None, int] = {}  # of each track
        self._frame, self._next_search, self._next_track = 0, 0, 0

    def detect(self, image: np.ndarray, time_s: float | None = None) -> Keypoints2D:
        """People in the next frame uint8 [H, W, 3] RGB, largest first. `time_s` of the frame is not needed here."""
        before = len(self._people)
        self._follow(image)
        if self._frame >= self._next_search or len(self._people) < before:
            self._search(image)
            self._next_search = self._frame + (self._every if self._people else min(EMPTY, self._every))
        self._frame += 1
        return to_keypoints(self._people, (image.shape[1], image.shape[0]))

    def _follow(self, image: np.ndarray) -> None:
        """Look where each person should be now; those who are not there, or are somebody else's double, are lost."""
        regions = [person.region for person in self._people if person.region is not None]
        looked = look(self._detector.landmarks, image, regions)
        self._people = distinct(
            [
                Found(found.joints, found.region, person.track)
                for person, found in zip(self._people, looked, strict=True)
                if found.score >= PRESENT
            ]
        )

    def _search(self, image: np.ndarray) -> None:
        """Confirm who is followed, let go of whom the finder misses, take in who is new."""
        finds = find_people(self._detector.finder, image, with_tiles=self._frame == 0)
        alike = similarity(poses_of(self._people), finds[:, COCO_ROWS])  # [P, N]
        for person, row in zip(self._people, alike, strict=True):
            missed = self._doubts.get(person.track, 0) + 1
            self._doubts[person.track] = 0 if (row >= AGREE).any() else missed
        self._people = [person for person in self._people if self._doubts[person.track] < DOUBTS]
        unknown = finds[~(alike >= AGREE).any(0)] if len(alike) else finds
        for person in self._detector.confirm(image, unknown):
            if len(distinct([*self._people, person])) > len(self._people):
                self._people.append(person._replace(track=self._next_track))
                self._next_track += 1
