"""Convert keypoints between joint sets by name, deriving pelvis, neck and knuckles where a set lacks them."""

from functools import cache

import numpy as np

from pose2mesh.skeletons.joint_sets import joint_set
from pose2mesh.skeletons.structure import JointSet

_KNUCKLES = [(side, *joint) for side in ("left", "right") for joint in (("index", 1), ("pinky", 1), ("thumb", 3))]
# A joint that a set does not hold is the mean of these; its confidence is the smaller of theirs.
DERIVED = {
    "pelvis": ("left_hip", "right_hip"),
    "neck": ("left_shoulder", "right_shoulder"),
    # MediaPipe's body has three points of a hand: the first knuckles of index and pinky, the second of the thumb.
    **{f"{side}_{finger}": (f"{side}_hand_{finger}{knuckle}",) for side, finger, knuckle in _KNUCKLES},
}


def conversion_sources(source: JointSet, target: JointSet) -> list[tuple[int, ...]]:
    """For each target joint the source indices whose mean it is; an empty tuple where it cannot be had."""
    rows = []
    for joint in target.joints:
        if joint in source.joints:
            rows.append((source.index(joint),))
        elif joint in DERIVED and all(part in source.joints for part in DERIVED[joint]):
            rows.append(tuple(source.index(part) for part in DERIVED[joint]))
        else:
            rows.append(())
    return rows


def convert(
    points: np.ndarray, confidence: np.ndarray, source: str | JointSet, target: str | JointSet
) -> tuple[np.ndarray, np.ndarray]:
    """Re-order (and derive) joints: points [..., J, D], confidence [..., J] of one set to those of another.

    A target joint that the source does not determine comes back as zeros with confidence 0.
    """
    source = joint_set(source) if isinstance(source, str) else source
    target = joint_set(target) if isinstance(target, str) else target
    points = points.astype(np.result_type(points.dtype, np.float32), copy=False)  # a mean of integers is no integer
    first, second, is_known = _ends(source, target)
    out = np.where(is_known[:, None], points[..., first, :] / 2 + points[..., second, :] / 2, 0)
    sure = np.where(is_known, np.minimum(confidence[..., first], confidence[..., second]), 0)
    return out.astype(points.dtype, copy=False), sure.astype(confidence.dtype, copy=False)


@cache
def _ends(source: JointSet, target: JointSet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each target joint [T] the first and the last source index whose mean it is, and whether there are any."""
    rows = conversion_sources(source, target)
    ends = np.array([(parts[0], parts[-1]) if parts else (0, 0) for parts in rows])  # one or two each
    return ends[:, 0], ends[:, 1], np.array([bool(parts) for parts in rows])
