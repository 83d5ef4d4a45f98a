"""Hands in pictures by MediaPipe Hands' networks, looked at twice: alone, or with the bodies that they belong to.

Hands are searched in the crops around the wrists of the bodies in the picture, in the whole picture and in overlapping
windows of it: the palm detector misses a hand that fills little of what it is shown. Every find is looked at again in
its own crop, as it is and mirrored; both views have to agree, and no foot of a body may be there. The networks tell
nothing about single joints, so their confidence is how well the two views agree on them.

At a body's wrist the body tells the side: it sees the arm, not just the hand.
"""

from typing import NamedTuple

import numpy as np

from pose2mesh.detectors.blazepose import BlazePoseDetector
from pose2mesh.detectors.conversion import in_joint_set
from pose2mesh.detectors.palms import HandNetworks
from pose2mesh.detectors.wrists import Wrist, contradicts, wrists_of
from pose2mesh.geometry.crop import Box, crop_image, keypoint_box, search_windows, square_box
from pose2mesh.skeletons import BODY_HANDS59, COCO17, hand_of_body
from pose2mesh.types import Keypoints2D

JOINTS = 21
MINIMAL_SIDE = 64  # pixels; smaller windows hold too little of a hand for the network
DETECTION_SCORE = 0.3  # MediaPipe's 0.5 misses hands; false finds are removed by the second look
HANDS_PER_WINDOW = 4
# Sides of the second look's crop over the hand's box, tried in turn: the palm detector loses some hands in each.
CROP_FACTORS = (2.4, 3.2, 1.8)
SPREAD = 0.1  # distance between the views that lowers a joint's confidence to 0.6, in sizes of the hand
MISSING = 0.1  # confidence below which a joint is called missing
AGREEMENT = 0.4  # of the two views, below which a find is dropped
SAME_HAND = 0.3  # similarity above which two finds are one hand


class Hand(NamedTuple):
    """One find."""

    points: np.ndarray  # [21, 2] picture pixels
    agreement: np.ndarray  # [21] of the two views, in [0, 1]; ones in a first look
    right: float  # chance of a right hand, in [0, 1]

    @property
    def side(self) -> str:
        return "right" if self.right >= 0.5 else "left"


class HandDetector:
    """MediaPipe Hands' networks on onnxruntime, for several hands; hand21 out. Raises as `sessions.load_session`."""

    kind = "hand"

    def __init__(self) -> None:
        self._networks = HandNetworks(DETECTION_SCORE, HANDS_PER_WINDOW)
        self._bodies = BlazePoseDetector()

    def detect(self, image: np.ndarray) -> Keypoints2D:
        """Find the hands in image uint8 [H, W, 3] RGB, with their handedness; P = 0 when there is none."""
        bodies = self._bodies.detect(image)
        hands = [hand for _, hand in self.detect_at_wrists(image, bodies)]
        for box in search_windows(image.shape[1], image.shape[0], MINIMAL_SIDE):
            for found in self._process(image, box):
                hand = None if _is_known(found, hands) else self._look_again(image, found)
                if hand and not _is_known(hand, hands) and not contradicts(bodies, hand.points):
                    hands.append(hand)
        return to_hand_keypoints(hands, (image.shape[1], image.shape[0]))

    def detect_at_wrists(self, image: np.ndarray, bodies: Keypoints2D) -> list[tuple[Wrist, Hand]]:
        """The hands at the seen wrists of bodies in image [H, W, 3], at most one for each wrist."""
        found: list[tuple[Wrist, Hand]] = []
        for wrist in wrists_of(bodies):
            hand = self._at_wrist(image, wrist, [hand for _, hand in found])
            if hand is not None:
                found.append((wrist, hand._replace(right=float(wrist.side == "right"))))
        return found

    def _at_wrist(self, image: np.ndarray, wrist: Wrist, known: list[Hand]) -> Hand | None:
        """The hand whose own wrist lies nearest; of two within reach the one of the wrist's side."""
        for box in wrist.boxes:
            looked = [self._look_again(image, hand) for hand in self._process(image, box)]
            near = [h for h in looked if h and wrist.holds(h.points[0]) and not _is_known(h, known)]
            if near:
                return min(near, key=lambda h: (h.side != wrist.side, wrist.distance(h.points[0])))
        return None

    def _look_again(self, image: np.ndarray, found: Hand) -> Hand | None:
        """Mean of the plain and the mirrored view of a hand's crop; None unless all agree in one of the crops."""
        for factor in CROP_FACTORS:
            box = square_box(keypoint_box(found.points, np.ones(JOINTS)), factor)
            plain, mirrored = (_most_similar(found, self._process(image, box, side)) for side in (False, True))
            if plain and mirrored and similarity(plain, mirrored) >= AGREEMENT:
                points = (plain.points + mirrored.points) / 2  # [21, 2]
                return Hand(points, _agreement(plain, mirrored), (plain.right + mirrored.right) / 2)
        return None

    def _process(self, image: np.ndarray, box: Box, is_mirrored: bool = False) -> list[Hand]:
        crop, offset = crop_image(image, box)
        hands = []
        for points, right in self._networks.process(np.ascontiguousarray(crop[:, ::-1] if is_mirrored else crop)):
            if is_mirrored:
                points[:, 0] = crop.shape[1] - points[:, 0]
            hands.append(Hand(points + offset, np.ones(JOINTS), 1 - right if is_mirrored else right))
        return hands


def to_hand_keypoints(hands: list[Hand], size: tuple[int, int]) -> Keypoints2D:
    """Keypoints of hands in a picture of (width, height) pixels; joints outside of it are missing."""
    points = np.array([hand.points for hand in hands], np.float32).reshape(-1, JOINTS, 2)
    score = np.array([hand.agreement for hand in hands], np.float32).reshape(-1, JOINTS)
    inside = ((points >= 0) & (points < size)).all(-1)  # [P, 21]
    confidence = np.where(inside & (score >= MISSING), score, 0).astype(np.float32)
    return Keypoints2D(points, confidence, "hand21", (size[0], size[1]), tuple(hand.side for hand in hands))


def similarity(a: Hand, b: Hand) -> float:
    """How far two finds are the same hand, in [0, 1]."""
    return float(_agreement(a, b).mean())


def _agreement(a: Hand, b: Hand) -> np.ndarray:
    """Of two finds, for each joint [21]."""
    size = (_size(a) + _size(b)) / 2
    distance = np.linalg.norm(a.points - b.points, axis=-1) / size  # [21]
    return np.exp(-((distance / SPREAD) ** 2) / 2)


def _size(hand: Hand) -> float:
    """Longest side of the hand's box, px."""
    return float(max(np.ptp(hand.points, axis=0).max(), 1.0))


def _most_similar(found: Hand, hands: list[Hand]) -> Hand | None:
    best = max(hands, key=lambda hand: similarity(found, hand), default=None)
    return best if best is not None and similarity(found, best) > SAME_HAND else None


def _is_known(found: Hand, hands: list[Hand]) -> bool:
    return any(similarity(found, hand) > SAME_HAND for hand in hands)


class BodyWithHandsDetector:
    """Finds people; the joints of hands that were not found are missing. Raises MissingDependencyError."""

    kind = "body+hands"

    def __init__(self) -> None:
        self._bodies, self._hands = BlazePoseDetector(), HandDetector()

    def detect(self, image: np.ndarray) -> Keypoints2D:
        """People with body_hands59 in image uint8 [H, W, 3] RGB; P = 0 when there is nobody."""
        size = (image.shape[1], image.shape[0])
        bodies = in_joint_set(self._bodies.detect(image), COCO17.name)
        points = np.zeros((len(bodies), len(BODY_HANDS59), 2), np.float32)
        confidence = np.zeros(points.shape[:2], np.float32)
        points[:, : len(COCO17)], confidence[:, : len(COCO17)] = bodies.points, bodies.confidence
        for wrist, hand in self._hands.detect_at_wrists(image, bodies):
            joints = to_hand_keypoints([hand], size)
            first = BODY_HANDS59.index(hand_of_body(wrist.side).joints[0])
            rows = slice(first, first + joints.points.shape[1])
            points[wrist.person, rows], confidence[wrist.person, rows] = joints.points[0], joints.confidence[0]
        return Keypoints2D(points, confidence, BODY_HANDS59.name, size)
