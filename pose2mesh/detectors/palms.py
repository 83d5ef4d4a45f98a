"""The hands in a picture by MediaPipe Hands' two networks: palms first, then 21 joints in a crop turned upright.

Zhang et al., MediaPipe Hands: On-device Real-time Hand Tracking, 2020; the constants are those of its published graphs.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from pose2mesh.detectors.regions import Region
from pose2mesh.detectors.sessions import load_session

PALM_SIDE, HAND_SIDE = 192, 224  # px of the networks' inputs
CELLS = ((24, 2), (12, 6))  # cells a side and boxes in each, of the palm network's two maps
OVERLAP = 0.3  # intersection over union from which two boxes are one palm
WRIST, MIDDLE = 0, 2  # of the palm's seven points
REACH, BEYOND = 2.6, 0.5  # the hand's region over the palm's box, and how far its center lies towards the fingers
# The same over the box of those joints of a hand that move little against its palm.
JOINTS_REACH, JOINTS_BEYOND = 2.0, 0.1
FIRM = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)


class View(NamedTuple):
    """What the landmark network says of one crop."""

    points: np.ndarray  # [21, 2] px
    score: float  # that there is a hand, in [0, 1]
    right: float  # chance of a right hand, in [0, 1]


class HandNetworks:
    """Both networks on onnxruntime. Raises as `sessions.load_session`."""

    def __init__(self, threads: int | None = None) -> None:
        self._palms = load_session("palm_detection", threads)
        self._joints = load_session("hand_landmark", threads)

    def palms(self, image: np.ndarray, square: Region, least_score: float) -> list[Region]:
        """Where the hands are whose palms are seen in a square of image uint8 [H, W, 3], best first."""
        values, logits = self._palms(square.cut(image, PALM_SIDE)[None])  # [1, 2016, 18], [1, 2016, 1]
        scores = 1 / (1 + np.exp(-np.clip(logits[0, :, 0], -80, 80)))  # [2016]
        sure = scores >= least_score
        pairs = values[0, sure].reshape(-1, 9, 2).astype(np.float64) / PALM_SIDE  # center, size, seven points
        pairs[:, [0, *range(2, 9)]] += anchors()[sure, None]
        boxes = np.concatenate([pairs[:, 0] - pairs[:, 1] / 2, pairs[:, 0] + pairs[:, 1] / 2], -1)  # [N, 4]
        found = merged(np.concatenate([boxes, pairs[:, 2:].reshape(-1, 14)], -1), scores[sure])  # [P, 18]
        points = square.to_picture(found.reshape(-1, 9, 2))  # [P, 9, 2]
        return [hand_region(p[:2].ravel(), p[2:]) for p in points]

    def joints(self, image: np.ndarray, region: Region) -> tuple[View, View]:
        """The hand in a region of image uint8 [H, W, 3], as it is and seen in a mirror."""
        crop = region.cut(image, HAND_SIDE)  # [224, 224, 3]
        joints, scores, sides = self._joints(np.stack([crop, crop[:, ::-1]]))  # [2, 63], [2, 1], [2, 1]
        points = joints.reshape(2, -1, 3)[..., :2].astype(np.float64) / HAND_SIDE
        points[1, :, 0] = 1 - points[1, :, 0]
        plain, mirrored = region.to_picture(points)  # [21, 2] each
        return (
            View(plain, float(scores[0, 0]), float(sides[0, 0])),
            View(mirrored, float(scores[1, 0]), 1 - float(sides[1, 0])),
        )


@cache
def anchors() -> np.ndarray:
    """Centers [2016, 2] of the palm network's boxes, in [0, 1]."""
    rows = []
    for cells, boxes in CELLS:
        y, x = np.mgrid[:cells, :cells]
        rows.append(np.repeat((np.stack([x, y], -1).reshape(-1, 2) + 0.5) / cells, boxes, axis=0))
    return np.concatenate(rows)


def merged(found: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Means, weighted by scores [N], of the finds [N, 18] that overlap a better one by their boxes (first four)."""
    people, left = [], np.argsort(-scores, kind="stable")
    while len(left):
        a, b = found[left[0], :4], found[left, :4]
        sides = np.clip(np.minimum(a[2:], b[:, 2:]) - np.maximum(a[:2], b[:, :2]), 0, None)
        shared = sides.prod(-1)  # [n]
        union = (a[2:] - a[:2]).prod() + (b[:, 2:] - b[:, :2]).prod(-1) - shared
        alike = shared > OVERLAP * union
        alike[0] = True  # a box without an area
        people.append(np.average(found[left[alike]], axis=0, weights=scores[left[alike]]))
        left = left[~alike]
    return np.array(people).reshape(-1, found.shape[1])


def hand_region(box: np.ndarray, points: np.ndarray) -> Region:
    """The upright square around the hand of a palm's box [4] and points [7, 2], px."""
    way = points[MIDDLE] - points[WRIST]
    length = float(np.linalg.norm(way))
    up = way / length if length > 1e-6 else np.array([0.0, -1.0])
    width, height = box[2:] - box[:2]
    return Region((box[:2] + box[2:]) / 2 + BEYOND * height * up, REACH * float(max(width, height, 1.0)), up)


def region_of_joints(points: np.ndarray) -> Region:
    """The upright square around a hand with joints [21, 2] px: where to look for it again."""
    way = (points[5] + 2 * points[9] + points[13]) / 4 - points[0]  # from the wrist to the knuckles
    length = float(np.linalg.norm(way))
    up = way / length if length > 1e-6 else np.array([0.0, -1.0])
    axes = np.stack([[-up[1], up[0]], up])  # rows: right, up
    along = points[list(FIRM)] @ axes.T  # [12, 2]
    low, high = along.min(0), along.max(0)
    center = (low + high) / 2 + [0, JOINTS_BEYOND * (high - low)[1]]
    return Region(center @ axes, JOINTS_REACH * float(max(*(high - low), 1.0)), up)
