"""How far two poses are one person: COCO's object keypoint similarity, and what it suppresses."""

import numpy as np

from pose2mesh.skeletons import COCO17, COCO_ROWS, MEDIAPIPE33, convert

# COCO's per-joint widths: how far annotators disagree, in units of the root of the person's area.
_OF_PAIRS = (0.025, 0.035, 0.079, 0.072, 0.062, 0.107, 0.087, 0.089)  # eyes to ankles, each left and right
WIDTHS = 2 * np.array([0.026, *np.repeat(_OF_PAIRS, 2)])  # [17]
SCORE_ROW = len(COCO17)  # of a find [18, 3], after its joints: its score lies in the last column
LEAST = 0.05  # weight of a joint that nobody saw: it still tells a little


def similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Similarity [N, M] in [0, 1] of poses a [N, 17, 3] and b [M, 17, 3] (x, y px, confidence) in COCO's order.

    Joints weigh by the smaller confidence; the area is the larger of the two boxes.
    """
    near = nearness(a, b)  # [N, M, 17]
    weight = np.maximum(np.minimum(a[:, None, :, 2], b[None, :, :, 2]), LEAST)  # [N, M, 17]
    return (weight * near).sum(-1) / weight.sum(-1)


def nearness(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of each joint [N, M, 17] of poses a [N, 17, 3] and b [M, 17, 3], in [0, 1]."""
    distance = np.square(a[:, None, :, :2] - b[None, :, :, :2]).sum(-1)  # [N, M, 17]
    area = np.maximum(_area(a)[:, None], _area(b)[None])  # [N, M]
    return np.exp(-distance / (2 * area[..., None] * np.square(WIDTHS)))


def extent(pose: np.ndarray) -> float:
    """Longer side of the box around the seen joints of a pose [J, 3], px; 0 where fewer than two are seen."""
    seen = pose[pose[:, 2] >= 0.1, :2]
    return float(np.ptp(seen, axis=0).max()) if len(seen) > 1 else 0.0


def _area(poses: np.ndarray) -> np.ndarray:
    """Of the boxes [N] around poses [N, 17, 3], px^2; as COCO's areas, about half of the box."""
    sides = np.ptp(poses[..., :2], axis=1)  # [N, 2]
    return np.maximum(sides[:, 0] * sides[:, 1], np.square(sides.max(-1)) / 4) * 0.53 + 1.0


def suppressed(poses: np.ndarray, same: float) -> np.ndarray:
    """The poses [P, 18, 3] of [N, 18, 3], best score (row 17) first, that are like no better one."""
    poses = poses[np.argsort(-poses[:, -1, 2], kind="stable")]
    return poses[distinct_rows(poses[:, COCO_ROWS], same)]


def distinct_rows(poses: np.ndarray, same: float) -> list[int]:
    """Rows of the poses [N, 17, 3] whose similarity with each kept one before them is below `same`."""
    alike, kept = similarity(poses, poses), []  # [N, N]
    for i in range(len(poses)):
        if not (alike[i, kept] >= same).any():
            kept.append(i)
    return kept


def to_coco(joints: np.ndarray) -> np.ndarray:
    """COCO's 17 [..., 17, 3] of MediaPipe's 33 joints [..., 33, 3]."""
    points, seen = convert(joints[..., :2], joints[..., 2], MEDIAPIPE33, COCO17)
    return np.concatenate([points, seen[..., None]], -1)
