"""One frame of 2D keypoints, and the checks that every reader shares."""

from typing import Any, NamedTuple

import numpy as np

from pose2mesh.detectors.readers.hands import HANDS_FROM, body_hands_rows, drop_missing, split_hands
from pose2mesh.errors import FormatError, InputError
from pose2mesh.skeletons import joint_set as find_joint_set
from pose2mesh.types import Keypoints2D

LARGEST_COORDINATE = 1e6  # pixels; no picture is larger, and squares of it stay exact enough in float32

# Joint counts that name a set. 17 is also human36m17: only the caller can tell, COCO is by far the commoner.
SET_OF_COUNT = {
    17: "coco17",
    18: "openpose18",
    19: "coco19",
    21: "hand21",
    24: "smpl24",
    25: "openpose25",
    26: "halpe26",
    33: "mediapipe33",
    59: "body_hands59",
    133: "coco17",  # COCO-WholeBody: the body comes first, then feet, face, hands
    136: "halpe26",  # Halpe full body: the body and feet come first, then face, hands
}
_WHOLE_BODY_PARTS = {
    133: ("coco17", "hand21", "body_hands59"),
    136: ("halpe26", "coco17", "hand21", "body_hands59"),
}


class Frame(NamedTuple):
    """The people of one picture or video frame."""

    name: str  # stem for output files
    keypoints: Keypoints2D


def set_for_count(count: int, joint_set: str | None, where: str) -> str:
    """Name of the joint set that `count` joints belong to; `joint_set` overrules the guess.

    Raises InputError that names the expected counts.
    """
    if joint_set is None:
        if count not in SET_OF_COUNT:
            known = ", ".join(f"{n} ({name})" for n, name in SET_OF_COUNT.items())
            raise InputError(f"{where}: {count} joints belong to no known joint set; expected one of {known}")
        return SET_OF_COUNT[count]
    wanted = find_joint_set(joint_set)
    if wanted.name == "hand21" and count == 2 * len(wanted):
        raise InputError(f"{where}: 42 joints are two hands in one array; give each its own 21, as [2, 21, 2 or 3]")
    if count != len(wanted) and wanted.name not in _WHOLE_BODY_PARTS.get(count, ()):
        raise InputError(f"{where}: {count} joints, but joint set {wanted.name} has {len(wanted)}")
    return wanted.name


def number_array(values: Any, where: str) -> np.ndarray:
    """A float64 array of a parsed JSON value or an array; FormatError unless rectangular and numeric."""
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, OverflowError) as error:
        raise FormatError(f"{where}: keypoints are not a rectangular array of numbers") from error
    if array.size == 0 or array.dtype.kind not in "fiu":
        found = "nothing" if array.size == 0 else f"values of type {array.dtype.name}"
        raise FormatError(f"{where}: keypoints must be numbers, found {found}")
    return array.astype(np.float64)


def to_keypoints(
    values: np.ndarray,
    where: str,
    joint_set: str | None = None,
    image_size: tuple[int, int] | None = None,
    handedness: tuple[str, ...] | None = None,
) -> Keypoints2D:
    """Check and clean people [P, J, 2 or 3] (x, y in pixels, confidence) into Keypoints2D.

    Whole bodies asked for as hand21 become their hands, those without a seen joint left out. Without a third column
    every joint counts as seen. Confidences are clipped to [0, 1], so COCO's visibility flags 0, 1, 2 become 0, 1, 1.
    Missing joints (confidence 0) are zeroed whatever they held. Raises InputError naming person and joint where a
    seen joint is not finite or further than 10^6 px from the origin.
    """
    if values.ndim != 3 or values.shape[2] not in (2, 3):
        shape = list(values.shape)
        raise InputError(f"{where}: keypoints have shape {shape}, expected [joints, 2 or 3] per person")
    name = set_for_count(values.shape[1], joint_set, where)
    joints = find_joint_set(name).joints
    if name == "hand21" and values.shape[1] in HANDS_FROM:
        values, sides = split_hands(values)
        return drop_missing(to_keypoints(values, where, name, image_size, sides))
    rows = body_hands_rows(values.shape[1]) if name == "body_hands59" and values.shape[1] in HANDS_FROM else slice(None)
    values = values[:, rows][:, : len(joints)]  # [P, J, 2 or 3]
    confidence = values[..., 2] if values.shape[2] == 3 else np.ones(values.shape[:2])  # [P, J]
    _refuse(~np.isfinite(confidence), confidence[..., None], where, joints, "confidence")
    confidence = confidence.clip(0, 1)
    seen = confidence > 0  # [P, J]
    points = np.where(seen[..., None], values[..., :2], 0.0)  # [P, J, 2]
    _refuse(~np.isfinite(points).min(axis=-1), points, where, joints, "position")
    _refuse(np.abs(points).max(axis=-1) > LARGEST_COORDINATE, points, where, joints, "position")
    return Keypoints2D(points.astype(np.float32), confidence.astype(np.float32), name, image_size, handedness)


def _refuse(bad: np.ndarray, values: np.ndarray, where: str, joints: tuple[str, ...], what: str) -> None:
    """Raise InputError for the first True of `bad` [P, J], quoting its `values` [P, J, C]."""
    if bad.any():
        person, joint = (int(i) for i in np.argwhere(bad)[0])
        found = ", ".join(f"{v:g}" for v in values[person, joint])
        raise InputError(
            f"{where}: person {person}, joint {joints[joint]}: {what} is {found}; "
            "a missing joint needs confidence 0, a seen one finite pixels"
        )


def empty_keypoints(joint_set: str | None, default: str = "coco17") -> Keypoints2D:
    """Keypoints of a picture with nobody in it (P = 0)."""
    joints = find_joint_set(joint_set or default)
    return Keypoints2D(np.zeros((0, len(joints), 2), np.float32), np.zeros((0, len(joints)), np.float32), joints.name)


def people_to_keypoints(
    people: list[np.ndarray],
    where: str,
    joint_set: str | None,
    image_size: tuple[int, int] | None = None,
    default: str = "coco17",
    handedness: tuple[str, ...] | None = None,
) -> Keypoints2D:
    """Keypoints of separately parsed people, each [J, 2 or 3]; all must have the same joint count."""
    if not people:
        return empty_keypoints(joint_set, default)
    if len({person.shape for person in people}) > 1:
        counts = sorted({len(person) for person in people})
        raise InputError(f"{where}: people have different joint counts {counts}; one joint set per file")
    return to_keypoints(np.stack(people), where, joint_set, image_size, handedness)
