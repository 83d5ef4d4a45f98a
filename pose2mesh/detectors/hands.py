"""Hands in pictures by MediaPipe Hands' networks, looked at twice: alone, or with the bodies that they belong to.

Hands are searched at the wrists of the bodies in the picture, in the whole picture, in overlapping windows of it and
with a margin around it: the palm detector misses a hand that fills little of what it is shown, or nearly all. Every
find is looked at again as it is and mirrored, each time where its joints were seen before; both views have to agree,
and neither foot nor head of a body may be there. The networks tell nothing about single joints, so their confidence is
how well the two views agree on them.

At a body's wrist the body tells the side: it sees the arm, not just the hand.
"""

from collections.abc import Iterator

import numpy as np

from pose2mesh.detectors.blazepose import BlazePoseDetector
from pose2mesh.detectors.following_hands import HandVideo
from pose2mesh.detectors.found_hands import Hand, is_of, mean_of_views, to_hand_keypoints
from pose2mesh.detectors.palms import HandNetworks, region_of_joints
from pose2mesh.detectors.regions import Region
from pose2mesh.detectors.wrists import Wrist, contradicts, has_sure_body, wrists_of
from pose2mesh.geometry.crop import Box, search_windows
from pose2mesh.skeletons import MEDIAPIPE33, WITH_HANDS, hand_of_body
from pose2mesh.types import Keypoints2D

MINIMAL_SIDE = 64  # pixels; smaller windows hold too little of a hand for the network
MARGINS = (0.25, 0.5, 1.0)  # around the picture, in its longer sides
PALM_SCORE = 0.15  # MediaPipe's 0.5 misses hands; false finds are removed by the second look
HANDS_PER_WINDOW = 4
LOOKS = 3  # at a find; the best of them counts
PERHAPS = 0.3  # score of the better view from which it is worth to look on
PRESENT = 0.5  # score of the worse view from which there is a hand
AGREEMENT = 0.5  # of the two views, below which a find is dropped
# The product of both below which a find is dropped that is at no wrist: alone in the picture, and beside bodies.
SURE, SURE_BESIDE_BODIES = 0.5, 0.7
# Two regions that show the same: how far apart at most, in sides; how much larger; cosine of how far turned.
SAME_PLACE, SAME_SIZE, SAME_WAY = 0.12, 1.4, 0.7


class HandDetector:
    """MediaPipe Hands' networks on onnxruntime, for several hands; hand21 out. Raises as `sessions.load_session`."""

    kind = "hand"

    def __init__(self) -> None:
        self._networks = HandNetworks()
        self._bodies = BlazePoseDetector(opinion=False)  # no more hands are found with one

    def detect(self, image: np.ndarray) -> Keypoints2D:
        """Find the hands in image uint8 [H, W, 3] RGB, with their handedness; P = 0 when there is none."""
        return to_hand_keypoints(self.find(image), (image.shape[1], image.shape[0]))

    def video(self, every: int = 15) -> HandVideo:
        """A detector for the frames of one video, one after another; every `every`-th is searched."""
        return HandVideo(self, every)

    def find(self, image: np.ndarray) -> list[Hand]:
        """The hands in image uint8 [H, W, 3]."""
        bodies = self._bodies.detect(image)
        hands = [hand for _, hand in self.detect_at_wrists(image, bodies)]
        wrists, least = list(wrists_of(bodies)), SURE_BESIDE_BODIES if has_sure_body(bodies) else SURE
        others = [
            hand
            for hand in self._search(image)
            if (hand.quality >= least or any(wrist.holds(hand.points[0]) for wrist in wrists))
            and not contradicts(bodies, hand.points)
        ]
        for hand in sorted(others, key=lambda hand: -hand.quality):
            if not any(is_of(hand, other) for other in hands):
                hands.append(hand)
        return hands

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
        for regions in self._regions_at(image, wrist):
            looked = [self.look(image, region) for region in regions]
            near = [h for h in looked if h and wrist.holds(h.points[0]) and not any(is_of(h, k) for k in known)]
            if near:
                return min(near, key=lambda h: (h.side != wrist.side, wrist.distance(h.points[0])))
        return None

    def _regions_at(self, image: np.ndarray, wrist: Wrist) -> Iterator[list[Region]]:
        """Where the hand of a wrist may be: by its palm in crops of growing size, then by the body's own knuckles."""
        for box in wrist.boxes:
            yield self._palms(image, _square(box))
        if wrist.knuckles is not None:
            yield [wrist.knuckles]

    def _search(self, image: np.ndarray) -> Iterator[Hand]:
        """The hands in all of image [H, W, 3], some of them several times."""
        height, width = image.shape[:2]
        whole = _square((0, 0, width, height))
        squares = [_square(box) for box in search_windows(width, height, MINIMAL_SIDE)]
        squares += [whole._replace(side=whole.side * (1 + 2 * margin)) for margin in MARGINS]
        found: list[Region] = []
        for square in squares:
            for region in self._palms(image, square):
                hand = None if any(_shows_the_same(region, other) for other in found) else self.look(image, region)
                if hand is not None:
                    found.append(region)
                    yield hand

    def _palms(self, image: np.ndarray, square: Region) -> list[Region]:
        return self._networks.palms(image, square, PALM_SCORE)[:HANDS_PER_WINDOW]

    def look(self, image: np.ndarray, region: Region, most: int = LOOKS) -> Hand | None:
        """The best of a few looks at a hand, each where the one before saw its joints; None unless two views agree."""
        looks: list[Hand] = []
        for _ in range(most):
            plain, mirrored = self._networks.joints(image, region)
            if max(plain.score, mirrored.score) < PERHAPS:
                break
            hand = mean_of_views(plain, mirrored)
            looks.append(hand)
            better = max(plain, mirrored, key=lambda view: view.score)
            region = region_of_joints(hand.points if hand.agreement.mean() >= AGREEMENT else better.points)
        best = max(looks, key=lambda hand: hand.quality, default=None)
        is_hand = best is not None and best.score >= PRESENT and best.agreement.mean() >= AGREEMENT
        return best if is_hand else None


def _square(box: Box) -> Region:
    """The upright square of a box's center and longer side."""
    left, top, right, bottom = box
    center = np.array([left + right, top + bottom], np.float64) / 2
    return Region(center, float(max(right - left, bottom - top)), np.array([0.0, -1.0]))


def _shows_the_same(a: Region, b: Region) -> bool:
    is_near = np.linalg.norm(a.center - b.center) < SAME_PLACE * a.side
    return bool(is_near and 1 / SAME_SIZE < a.side / b.side < SAME_SIZE and a.up @ b.up > SAME_WAY)


_BODY_HANDS = WITH_HANDS[MEDIAPIPE33.name]


class BodyWithHandsDetector:
    """Finds people; the joints of hands that were not found are missing. Raises MissingDependencyError."""

    kind = "body+hands"

    def __init__(self) -> None:
        self._bodies, self._hands = BlazePoseDetector(), HandDetector()

    def detect(self, image: np.ndarray) -> Keypoints2D:
        """People with mediapipe75 in image uint8 [H, W, 3] RGB; P = 0 when there is nobody."""
        size, bodies = (image.shape[1], image.shape[0]), self._bodies.detect(image)
        points = np.zeros((len(bodies), len(_BODY_HANDS), 2), np.float32)
        confidence = np.zeros(points.shape[:2], np.float32)
        points[:, : len(MEDIAPIPE33)], confidence[:, : len(MEDIAPIPE33)] = bodies.points, bodies.confidence
        for wrist, hand in self._hands.detect_at_wrists(image, bodies):
            joints = to_hand_keypoints([hand], size)
            first = _BODY_HANDS.index(hand_of_body(wrist.side).joints[0])
            rows = slice(first, first + joints.points.shape[1])
            points[wrist.person, rows], confidence[wrist.person, rows] = joints.points[0], joints.confidence[0]
        return Keypoints2D(points, confidence, _BODY_HANDS.name, size)
