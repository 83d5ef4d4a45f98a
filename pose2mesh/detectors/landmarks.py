"""The 33 joints of one person: BlazePose on an upright crop around the hips, which tells where to look next, too.

Bazarevsky et al., BlazePose: On-device Real-time Body Pose tracking, 2020. The network returns joints and a heat map
for each; as in MediaPipe a joint moves to the center of its heat where that is sure.
"""

from typing import NamedTuple

import numpy as np

from pose2mesh.detectors.regions import Region
from pose2mesh.detectors.sessions import Session
from pose2mesh.detectors.similarity import to_coco
from pose2mesh.skeletons import COCO17, MEDIAPIPE33

SIDE = 256  # px of the crop
MARGIN = 1.25  # side of the crop over the diameter of the circle around the person
HEAT_REACH = 3  # cells around a joint whose heat counts
HEAT_SURE = 0.5  # heat from which it counts
SHARE_BEYOND = 1.15  # of the farthest joint's distance from the hips: hands, feet and the crown lie beyond the joints
TRUNKS = 1.3  # least radius of the circle in lengths of the trunk
_MIRROR = list(MEDIAPIPE33.flip_permutation)
_HIPS, _SHOULDERS = ([COCO17.index(f"{side}_{part}") for side in ("left", "right")] for part in ("hip", "shoulder"))


class Landmarks(NamedTuple):
    """What the network says of one crop."""

    joints: np.ndarray  # [33, 3] x, y picture px; visibility in [0, 1]
    score: float  # that there is a person, in [0, 1]
    region: Region  # where to look for this person next

    @property
    def coco(self) -> np.ndarray:
        """The 17 joints of COCO [17, 3]."""
        return to_coco(self.joints)


def look(network: Session, image: np.ndarray, regions: list[Region], both: bool = False) -> list[Landmarks]:
    """The person in each region of image uint8 [H, W, 3]; `both`: mean of the plain and the mirrored view."""
    if not regions:
        return []
    crops = np.stack([region.cut(image, SIDE) for region in regions])  # [B, 256, 256, 3]
    views = [_run(network, crops)]
    if both:
        points, seen, circles, scores = _run(network, crops[:, :, ::-1])
        points[..., 0], circles[..., 0] = 1 - points[..., 0], 1 - circles[..., 0]
        views.append((points[:, _MIRROR], seen[:, _MIRROR], circles, scores))
    points, seen, circles, scores = (np.mean(values, 0) for values in zip(*views, strict=True))
    if both:  # the mean of a joint and its partner lies between them, and would make a stick of the person
        swapped = _distance(views[0][0], views[1][0][:, _MIRROR]) < _distance(views[0][0], views[1][0])  # [B]
        points[swapped], seen[swapped] = views[0][0][swapped], views[0][1][swapped]
    found = []
    for i, region in enumerate(regions):
        center, rim = region.to_picture(circles[i])
        joints = np.concatenate([region.to_picture(points[i]), seen[i, :, None]], -1)  # [33, 3]
        found.append(Landmarks(joints, float(scores[i]), circle_region(center, rim)))
    return found


def _run(network: Session, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of crops [B, 256, 256, 3]: joints [B, 33, 2] in [0, 1], visibilities [B, 33], circles [B, 2, 2], scores [B]."""
    landmarks, scores, heat = network(np.ascontiguousarray(crops))  # [B, 195], [B, 1], [B, 64, 64, 39]
    values = landmarks.reshape(-1, 39, 5).astype(np.float64)
    points = values[..., :2] / SIDE
    return warmest(points[:, :33], heat[..., :33]), _sigmoid(values[:, :33, 3]), points[:, 33:35], scores[:, 0]


def warmest(points: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Points [B, J, 2] in [0, 1] moved to the center of the heat around them, of logits [B, H, W, J]."""
    height, width = heat.shape[1:3]
    cells = np.floor(points * (width, height)).astype(int)  # [B, J, 2]
    steps = np.arange(-HEAT_REACH, HEAT_REACH + 1)
    x, y = cells[..., :1] + steps, cells[..., 1:] + steps  # [B, J, 7]
    inside = ((y >= 0) & (y < height))[..., :, None] & ((x >= 0) & (x < width))[..., None, :]  # [B, J, 7, 7]
    batch, joint = np.ogrid[: points.shape[0], : points.shape[1]]
    window = heat[
        batch[..., None, None],
        np.clip(y, 0, height - 1)[..., :, None],
        np.clip(x, 0, width - 1)[..., None, :],
        joint[..., None, None],
    ]
    weight = _sigmoid(window) * inside  # [B, J, 7, 7]
    total = np.maximum(weight.sum((-1, -2)), 1e-9)
    center = np.stack([(weight.sum(-2) * x).sum(-1) / total / width, (weight.sum(-1) * y).sum(-1) / total / height], -1)
    own = ((cells >= 0) & (cells < (width, height))).all(-1)  # [B, J]
    return np.where((own & (weight.max((-1, -2)) >= HEAT_SURE))[..., None], center, points)


def circle_region(center: np.ndarray, rim: np.ndarray) -> Region:
    """The region of a circle around a person: center [2] between the hips, rim [2] its point beyond the head."""
    radius = float(np.linalg.norm(rim - center))
    up = (rim - center) / radius if radius > 1e-3 else np.array([0.0, -1.0])
    return Region(center, 2 * MARGIN * max(radius, 1.0), up)


def region_of(pose: np.ndarray) -> Region:
    """Where to look first for a pose [17, 3] in COCO's order."""
    hips, shoulders = pose[_HIPS, :2].mean(0), pose[_SHOULDERS, :2].mean(0)
    trunk = float(np.linalg.norm(shoulders - hips))
    up = (shoulders - hips) / trunk if trunk > 1e-3 else np.array([0.0, -1.0])
    reach = np.linalg.norm(pose[pose[:, 2] >= 0.1, :2] - hips, axis=-1).max(initial=0)
    return circle_region(hips, hips + up * max(SHARE_BEYOND * reach, TRUNKS * trunk, 1.0))


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Mean distances [B] of points [B, J, 2]."""
    return np.linalg.norm(a - b, axis=-1).mean(-1)


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(values, -30, 30)))
