"""Where the hands of a body are, and where they cannot be."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pose2mesh.detectors.regions import Region
from pose2mesh.geometry.crop import Box
from pose2mesh.skeletons import COCO17, convert, joint_set
from pose2mesh.types import Keypoints2D

# Lengths of an adult in metres; the longest in the picture tells the scale, since foreshortening only shortens.
_LENGTHS = {("elbow", "wrist"): 0.26, ("shoulder", "elbow"): 0.29, ("shoulder", "hip"): 0.5}
_ACROSS = ("shoulder", 0.36)  # from one shoulder to the other
HAND_BEYOND = 0.35  # the middle of the hand lies this share of the forearm beyond the wrist
CROP_METRES = (0.4, 0.6)  # sides of the crops
KNUCKLES, HAND_METRES = 3.2, 0.25  # side of the region of a hand by its knuckles: over their way from the wrist; least
REACH_METRES = 0.15  # from the body's wrist to the wrist of its hand
FOOT_METRES = 0.3  # from the ankle to the far end of the foot; bare feet look like hands to the palm detector
FACE = 5  # first joints of COCO-17: nose, eyes, ears
HEAD_METRES, OWN_METRES = 0.14, 0.2  # from a face to what looks like a hand there, unless a wrist is as near as this
LONGEST_HAND = 0.45  # metres in the plane of the body: a hand twice as near to the camera as the body
SURE_WRIST = 0.5  # confidence of a wrist from which its hand is looked for there
# Mean confidence of the 17 joints, or of the face's; bodies that were made up from the close-up of an arm stay below.
SURE_BODY = 0.75


class Wrist(NamedTuple):
    """A wrist of a body in a picture."""

    person: int
    side: str  # left or right
    point: np.ndarray  # [2] px
    center: np.ndarray  # [2] px, about the middle of the hand
    scale: float  # px of a metre there
    knuckles: Region | None  # where the body's detector sees the hand; None where it knows no knuckles

    @property
    def boxes(self) -> list[Box]:
        """Crops that should hold the hand."""
        halves = [length * self.scale / 2 for length in CROP_METRES]
        x, y = self.center.tolist()
        return [(x - half, y - half, x + half, y + half) for half in halves]

    def distance(self, point: np.ndarray) -> float:
        """Metres from a point [2] px."""
        return float(np.linalg.norm(point - self.point)) / self.scale

    def holds(self, point: np.ndarray) -> bool:
        return self.distance(point) < REACH_METRES


def wrists_of(bodies: Keypoints2D) -> Iterator[Wrist]:
    """The seen wrists of bodies in any joint set that has wrists."""
    points, confidence = convert(bodies.points, bodies.confidence, bodies.joint_set, "coco17")
    for person in range(len(bodies)):
        seen = _by_name(points[person], confidence[person])
        scale = _scale(seen)
        for side in ("left", "right"):
            wrist, elbow = seen.get(f"{side}_wrist"), seen.get(f"{side}_elbow")
            if wrist is not None and scale and confidence[person, COCO17.index(f"{side}_wrist")] >= SURE_WRIST:
                center = wrist if elbow is None else wrist + HAND_BEYOND * (wrist - elbow)
                yield Wrist(person, side, wrist, center, scale, _knuckles(bodies, person, side, wrist, scale))


def _knuckles(bodies: Keypoints2D, person: int, side: str, wrist: np.ndarray, scale: float) -> Region | None:
    """The region of the hand whose knuckles the body's joint set has, as MediaPipe's 33 joints do."""
    names = joint_set(bodies.joint_set).joints
    if f"{side}_index" not in names or f"{side}_pinky" not in names:
        return None
    ends = bodies.points[person, [names.index(f"{side}_{finger}") for finger in ("index", "pinky")]]
    way = ends.mean(0) - wrist
    length = float(np.linalg.norm(way))
    return Region(wrist + way, max(KNUCKLES * length, HAND_METRES * scale), way / length) if length > 1e-3 else None


def has_sure_body(bodies: Keypoints2D) -> bool:
    """Whether there is a body that is not made up from the close-up of an arm."""
    return any(confidence.mean() >= SURE_BODY for _, confidence in _coco(bodies))


def contradicts(bodies: Keypoints2D, points: np.ndarray) -> bool:
    """Whether points [21, 2] px cannot be a hand: on a body's foot or head, or on a body and far too large."""
    return any(_is_no_hand(*body, points) for body in _coco(bodies))


def _coco(bodies: Keypoints2D) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Joints [17, 2] and confidences [17] of each body."""
    return zip(*convert(bodies.points, bodies.confidence, bodies.joint_set, "coco17"), strict=True)


def _is_no_hand(joints: np.ndarray, confidence: np.ndarray, points: np.ndarray) -> bool:
    seen = _by_name(joints, confidence)
    scale = _scale(seen)
    if not scale:
        return False
    center = points.mean(0)  # [2]

    def metres(*names: str) -> float:
        near = [np.linalg.norm(seen[name] - center) for name in names if name in seen]
        return float(min(near, default=np.inf)) / scale

    to_wrist = metres("left_wrist", "right_wrist")
    if confidence[:FACE].mean() >= SURE_BODY and metres(*COCO17.joints[:FACE]) < HEAD_METRES and to_wrist > OWN_METRES:
        return True
    if confidence.mean() < SURE_BODY:
        return False
    corners = np.stack(list(seen.values()))  # [N, 2]
    on_body = ((center >= corners.min(0)) & (center <= corners.max(0))).all()
    is_giant = on_body and np.ptp(points, axis=0).max() > LONGEST_HAND * scale
    return bool(is_giant or metres("left_ankle", "right_ankle") < FOOT_METRES <= to_wrist)


def _by_name(points: np.ndarray, confidence: np.ndarray) -> dict[str, np.ndarray]:
    """The seen joints of one body: points [17, 2], confidence [17]."""
    return {name: p for name, p, c in zip(COCO17.joints, points, confidence, strict=True) if c > 0}


def _scale(seen: dict[str, np.ndarray]) -> float:
    """Pixels of a metre, 0 where no known length is seen."""
    pairs = [((f"{s}_{a}", f"{s}_{b}"), length) for s in ("left", "right") for (a, b), length in _LENGTHS.items()]
    pairs.append(((f"left_{_ACROSS[0]}", f"right_{_ACROSS[0]}"), _ACROSS[1]))
    known = [np.linalg.norm(seen[a] - seen[b]) / length for (a, b), length in pairs if a in seen and b in seen]
    return float(max(known, default=0.0))
