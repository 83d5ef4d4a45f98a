"""Convert keypoints between joint sets by name, deriving pelvis, neck and knuckles where a set lacks them."""

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
    kind = np.result_type(points.dtype, np.float32)  # a mean of integers is no integer
    out = np.zeros((*points.shape[:-2], len(target), points.shape[-1]), kind)
    out_confidence = np.zeros((*confidence.shape[:-1], len(target)), confidence.dtype)
    for i, parts in enumerate(conversion_sources(source, target)):
        if parts:
            index = list(parts)
            out[..., i, :] = points[..., index, :].mean(-2)
            out_confidence[..., i] = confidence[..., index].min(-1)
    return out, out_confidence
