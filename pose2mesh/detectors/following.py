"""People in the frames of a video: each is followed from frame to frame, which costs one look at one crop.

The finder looks again at every N-th frame, twice a second at least, by turns for large and for small people; for both
at once, and soon again, when somebody was lost. Whom it does not find twice in a row is let go. Tiles are searched for
small people in the first frame only. A second opinion on joints is asked for now and then, and moves them alike until
the next one: it corrects what BlazePose gets wrong for long.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol

import numpy as np

from pose2mesh.detectors.finder import WHOLE, find_people
from pose2mesh.detectors.landmarks import look
from pose2mesh.detectors.people import AGREE, PRESENT, Found, distinct, poses_of, to_keypoints
from pose2mesh.detectors.similarity import similarity
from pose2mesh.skeletons import COCO_ROWS
from pose2mesh.types import Keypoints2D

USUAL_FPS = 30.0  # at which N frames go by between two looks; where frames are fewer, as many seconds do
SOON = 5  # frames between two searches while nobody is in the picture, or for a while after somebody was lost
OPINION = 5  # frames between two second opinions on a person; every frame is no better (docs/decisions, 0070)
DOUBTS = 2  # searches in a row that may not find a person who is followed


class OfPictures(Protocol):
    """What finds people in one picture, such as `BlazePoseDetector`."""

    finder: Any  # the networks' sessions
    landmarks: Any

    def confirm(self, image: np.ndarray, poses: np.ndarray) -> list[Found]: ...
    def reconsider(self, image: np.ndarray, people: list[Found]) -> list[Found]: ...


class VideoDetector:
    """`detect` frame after frame; `tracks` of the answer are the same numbers while a person is followed."""

    def __init__(self, detector: OfPictures, every: int, is_live: bool = False) -> None:
        """`is_live`: frames come by the clock, so once somebody is followed the finder looks in a thread of its own."""
        self._detector, self._every = detector, every
        self._people: list[Found] = []
        self._doubts: dict[int | None, int] = {}  # of each track
        self._frame, self._next_track, self._searches = 0, 0, 0
        self._clock, self._last_time = 0.0, None  # frames gone by, as many as at the usual rate if that is more
        self._next_search, self._was_lost, self._hurry_until = 0.0, False, 0.0
        self._opinions: dict[int | None, tuple[float, np.ndarray]] = {}  # of each track: when, and moves [33, 2]
        self._thread = ThreadPoolExecutor(1) if is_live else None
        self._under_way: tuple[list[Found], Future[np.ndarray]] | None = None  # who was followed then, and the finds

    def detect(self, image: np.ndarray, time_s: float | None = None) -> Keypoints2D:
        """People in the next frame uint8 [H, W, 3] RGB, largest first; without `time_s` it is of the usual rate."""
        self._tick(time_s)
        before = len(self._people)
        self._follow(image)
        self._was_lost |= len(self._people) < before
        if self._under_way is not None and self._under_way[1].done():
            then, finds = self._under_way
            self._under_way = None
            self._take(image, then, finds.result())
        is_due = self._was_lost or self._clock >= self._next_search
        if is_due and (self._under_way is None or not self._people):
            everybody = self._was_lost or not self._people
            self._search(image, WHOLE if everybody else [WHOLE[self._searches % len(WHOLE)]])
            self._hurry_until = self._clock + self._every if self._was_lost else self._hurry_until
            self._was_lost = False
            in_hurry = not self._people or self._clock < self._hurry_until
            self._next_search = self._clock + (min(SOON, self._every) if in_hurry else self._every)
        people = self._people if self._thread else self._corrected(image)
        self._frame += 1
        return to_keypoints(people, (image.shape[1], image.shape[0]))

    def _tick(self, time_s: float | None) -> None:
        if self._frame:
            gone = 0.0 if time_s is None or self._last_time is None else USUAL_FPS * (time_s - self._last_time)
            self._clock += max(gone, 1.0)
        self._last_time = time_s

    def _corrected(self, image: np.ndarray) -> list[Found]:
        """The people with their joints moved towards second opinions; where to look for them next stays as it is.

        Moves are in sides of the person's region.
        """
        known = {person.track for person in self._people}
        self._opinions = {
            track: told for track, told in self._opinions.items() if track in known and self._clock - told[0] < OPINION
        }
        due = [person for person in self._people if person.track not in self._opinions]
        for person, moved in zip(due, self._detector.reconsider(image, due), strict=True):
            moves = (moved.joints[:, :2] - person.joints[:, :2]) / _side(person)
            self._opinions[person.track] = self._clock, moves
        return [_moved(person, _side(person) * self._opinions[person.track][1]) for person in self._people]

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

    def _search(self, image: np.ndarray, sides: Sequence[int]) -> None:
        """Look over the whole picture in passes of these sides."""
        self._searches += 1
        job = partial(find_people, self._detector.finder, image, self._frame == 0, sides)
        if self._thread is None or not self._people:
            self._under_way = None  # of an earlier frame, and late
            self._take(image, self._people, job())
        else:
            self._under_way = self._people, self._thread.submit(job)

    def _take(self, image: np.ndarray, then: list[Found], finds: np.ndarray) -> None:
        """Confirm who is followed, let go of whom the finder misses, take in who is new; `then` were followed."""
        alike = similarity(poses_of(then), finds[:, COCO_ROWS])  # [P, N]
        for person, row in zip(then, alike, strict=True):
            missed = self._doubts.get(person.track, 0) + 1
            self._doubts[person.track] = 0 if (row >= AGREE).any() else missed
        self._people = [person for person in self._people if self._doubts.get(person.track, 0) < DOUBTS]
        unknown = finds[~(alike >= AGREE).any(0)] if len(alike) else finds
        for person in self._detector.confirm(image, unknown):
            if len(distinct([*self._people, person])) > len(self._people):
                self._people.append(person._replace(track=self._next_track))
                self._next_track += 1


def _side(person: Found) -> float:
    return person.region.side if person.region is not None else 1.0


def _moved(person: Found, by: np.ndarray) -> Found:
    """The person with joints [33, 2] px elsewhere."""
    joints = person.joints.copy()
    joints[:, :2] += by
    return person._replace(joints=joints)
