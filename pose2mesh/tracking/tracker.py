"""Who is who: the people of a frame get the numbers that they had before.

Each person known is moved on by the velocity it had, and compared with everybody found: by its joints (COCO's object
keypoint similarity, with one wide tolerance), by its place and, where there are pictures, by its clothes. One
assignment over all pairs (Kuhn's and Munkres', by SciPy) settles who is who. Somebody who is not found is remembered
for a second and grows less certain meanwhile.

While two people pass each other a detector may show one of them alone, or one with the other's joints. Who of such a
pair is who is told by their clothes; where these are alike it is settled anew by the ways that they had before, as soon
as these lead apart.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from pose2mesh.tracking.clothes import alike, blended
from pose2mesh.types import Keypoints2D

MEMORY_SECONDS = 1.2  # somebody not seen for longer comes back as somebody new
_LEAST_SIMILARITY = 0.15
_JOINT_TOLERANCE = 0.12  # of the person's size: distance of a joint at which similarity has fallen to 0.61
_PLACE_TOLERANCE = 0.25
_DRIFT = 1.0  # by how much both widen per second without a find, relative
_VELOCITY_SECONDS = 0.25  # over which velocity is averaged
_COAST_SECONDS = 0.6  # after which somebody unseen is taken to have stopped
_NEAR, _CLEAR = 0.4, 0.6  # of the size: distances within which a detector may take one for another, beyond which not
_WAY_SECONDS = 2.0  # that people are taken to go on as before while they pass each other
_COURSE_SECONDS = 0.6  # a step: nobody walks at an even speed
_DOUBLE_LEAST = 0.4  # similarity of two finds from which they may be of one person
_DOUBLE_SECONDS = 0.3  # for which a find that drifted away may live on beside the person's next one
_CLOTHES = 0.7  # of the similarity, which other clothes can take away
_DIFFER = 0.3  # likeness of clothes below which they tell a pair apart
_CLOTHES_SECONDS = 0.3  # over which colors are averaged, while nobody is near
_GONE_SECONDS = 0.1  # without a find, after which somebody has vanished; and more than one frame, for one is missed


@runtime_checkable
class Tracker(Protocol):
    """Anything that numbers people over time; one object per video."""

    def update(self, keypoints: Keypoints2D, time: float) -> tuple[int, ...]:
        """Numbers of the people [P] of a frame `time` seconds into the video; frames come in order."""
        ...


class _Find(NamedTuple):
    points: np.ndarray  # [J, 2] px
    seen: np.ndarray  # [J] bool
    clothes: np.ndarray | None  # [4, 3]


@dataclass(frozen=True)
class _Known:
    number: int
    points: np.ndarray  # [J, 2] px, as last seen; joints that were missing keep their place in the person
    has_point: np.ndarray  # [J] bool, seen at least once
    velocity: np.ndarray  # [2] px a second, of the whole person
    size: float  # px, longer side of the box
    seen: float  # seconds
    born: float  # seconds
    course: np.ndarray  # [2] the velocity over some steps
    clothes: np.ndarray | None  # [4, 3]
    before: "_Known | None" = None  # as last seen far from everybody, with the course as its velocity
    partner: int | None = None  # number of who was near when one of the two was not found
    is_way: bool = False  # of a `before`
    may_double: tuple[int, ...] = ()  # numbers of those whom it may have been a second find of when it appeared

    def moved(self, time: float) -> np.ndarray:
        """Where the joints [J, 2] are expected."""
        longest = _WAY_SECONDS if self.is_way else _COAST_SECONDS
        return self.points + self.velocity * min(time - self.seen, longest)

    def is_near(self, other: "_Known", time: float, near: float = _NEAR) -> bool:
        """Whether two people are expected so close that one may be taken for the other."""
        mine, theirs = (np.median(one.moved(time)[one.has_point], 0) for one in (self, other))
        return bool(np.linalg.norm(mine - theirs) < near * max(self.size, other.size))


class IdentityTracker:
    """Numbers from 1 in the order of appearance."""

    def __init__(self, memory: float = MEMORY_SECONDS) -> None:
        self.memory = memory
        self._known: list[_Known] = []
        self._next = 1
        self._time, self._period = -np.inf, np.inf  # seconds: of the frame before, least between two frames
        self.joint_set = ""  # of the keypoints that were seen last

    def update(self, keypoints: Keypoints2D, time: float) -> tuple[int, ...]:
        """Numbers of the people [P]; keypoints that bring numbers of their own keep them."""
        self.joint_set = keypoints.joint_set if len(keypoints) else self.joint_set  # nobody's may be any
        if keypoints.tracks is not None:
            return keypoints.tracks
        from scipy.optimize import linear_sum_assignment  # slow to import

        remembered = [known for known in self._known if time - known.seen <= self.memory]
        self._time, self._period = time, min(self._period, time - self._time)
        self._known = self._inherited(remembered, max(_GONE_SECONDS, 1.5 * self._period))
        clothes = [None] * len(keypoints) if keypoints.clothes is None else keypoints.clothes
        finds = zip(np.asarray(keypoints.points, np.float64), keypoints.confidence > 0, clothes, strict=True)
        people = [_Find(*find) for find in finds]
        expected = [self._before(known, time) or known for known in self._known]
        similarity = np.array([[_similarity(known, person, time) for person in people] for known in expected])
        similarity = similarity.reshape(len(self._known), len(people))
        matched = {}
        for row, column in zip(*linear_sum_assignment(-similarity), strict=True):
            if similarity[row, column] >= _LEAST_SIMILARITY:
                matched[column] = row
        numbers = []
        updated = {row: known for row, known in enumerate(self._known)}
        for column, find in enumerate(people):
            if not find.seen.any():
                numbers.append(self._number())
            elif column in matched:
                row = matched[column]
                updated[row] = self._followed(self._known[row], find, time)
                numbers.append(updated[row].number)
            else:
                numbers.append(self._number())
                doubled = [known for known in self._known if _similarity(known, find, time) >= _DOUBLE_LEAST]
                still, size = np.zeros(2), _size(find.points[find.seen])
                start = _Known(numbers[-1], find.points, find.seen, still, size, time, time, still, find.clothes)
                updated[len(updated)] = replace(start, may_double=tuple(known.number for known in doubled))
        self._known = list(updated.values())
        self._known = [self._paired(known, time) for known in self._known]
        return tuple(numbers)

    def _inherited(self, known: list[_Known], patience: float) -> list[_Known]:
        """The people known, where a newcomer takes the number of the like who vanished as soon as it had come.

        Without a find for more than `patience` seconds they have.

        The detector has lost somebody then, whose find drifted on for a moment, and found the same person again.
        """
        numbered = {one.number: one for one in known}
        for new in known:
            for old in [numbered[number] for number in new.may_double if number in numbered]:
                gone = new.seen - old.seen > patience and old.seen - new.born <= _DOUBLE_SECONDS
                if gone and new.number in numbered:
                    del numbered[new.number]
                    numbered[old.number] = replace(new, number=old.number, may_double=())
        return list(numbered.values())

    def _partner(self, known: _Known) -> _Known | None:
        return next((other for other in self._known if other.number == known.partner), None)

    def _before(self, known: _Known, time: float) -> _Known | None:
        """A person of a pair as it was before they met, once the ways that they had then lead apart."""
        partner = self._partner(known)
        if known.before is None or partner is None or partner.before is None or self._differ(known):
            return None
        return None if known.before.is_near(partner.before, time, _CLEAR) else known.before

    def _differ(self, known: _Known) -> bool:
        """Whether clothes tell who is who of a pair, for which ways are not needed: people may turn back."""
        partner = self._partner(known)
        return partner is not None and alike(known.clothes, partner.clothes) < _DIFFER

    def _followed(self, known: _Known, find: _Find, time: float) -> _Known:
        """The person after a find; as before where it wears what somebody near wears, on whom it must have drifted."""
        near = [o for o in self._known if o.number != known.number and known.is_near(o, time, _CLEAR)]
        theirs = max((alike(other.clothes, find.clothes) for other in near), default=0.0)
        if alike(known.clothes, find.clothes) < min(_DIFFER, theirs):
            return known
        return _follow(known, find, time, is_alone=not near)

    def _paired(self, known: _Known, time: float) -> _Known:
        """The person with what is to be remembered of the way to whoever is near."""
        near = [o for o in self._known if o.number != known.number and known.is_near(o, time)]
        lost = [o.number for o in near if known.seen < time or o.seen < time]
        if near and (known.before is None or time - known.before.seen < _WAY_SECONDS):
            return replace(known, partner=lost[0] if lost else known.partner)
        is_settled = known.partner is None or self._differ(known) or self._before(known, time)
        if near or (known.seen == time and is_settled):
            way = None if near else replace(known, velocity=known.course, before=None, is_way=True)
            return replace(known, before=way, partner=None)
        return known

    def _number(self) -> int:
        self._next += 1
        return self._next - 1


def _similarity(known: _Known, find: _Find, time: float) -> float:
    """How likely a find is the person, in [0, 1]."""
    points, seen, clothes = find
    both = seen & known.has_point
    if not both.any():
        return 0.0
    widened = 1 + _DRIFT * (time - known.seen)
    apart = (points - known.moved(time))[both] / max(known.size, _size(points[seen]))  # [n, 2]
    joints = np.exp(-(apart**2).sum(-1) / (2 * (_JOINT_TOLERANCE * widened) ** 2)).mean()
    place = np.exp(-(np.median(apart, 0) ** 2).sum() / (2 * (_PLACE_TOLERANCE * widened) ** 2))
    return float(joints + place) / 2 * (1 - _CLOTHES + _CLOTHES * alike(known.clothes, clothes))


def _follow(known: _Known, find: _Find, time: float, is_alone: bool) -> _Known:
    """The person after a find, whose clothes count where nobody is near."""
    points, seen, clothes = find
    elapsed = max(time - known.seen, 1e-6)
    both = seen & known.has_point
    step = np.median((points - known.points)[both], 0)  # [2]
    weight = 1 - np.exp(-elapsed / _VELOCITY_SECONDS)
    velocity = known.velocity + weight * (step / elapsed - known.velocity)
    size = known.size + weight * (_size(points[seen]) - known.size)
    kept = np.where(seen[:, None], points, known.points + step)
    share = max(1 - np.exp(-elapsed / _COURSE_SECONDS), elapsed / max(time - known.born, elapsed))  # at first the mean
    course = known.course + share * (step / elapsed - known.course)
    worn = blended(known.clothes, clothes, 1 - np.exp(-elapsed / _CLOTHES_SECONDS) if is_alone else 0.0)
    moved = {"points": kept, "velocity": velocity, "course": course, "clothes": worn}
    return replace(known, **moved, has_point=seen | known.has_point, size=size, seen=time)


def _size(points: np.ndarray) -> float:
    """Longer side of the box of points [n, 2], at least a pixel."""
    return float(max(np.ptp(points, axis=0).max(), 1.0))
