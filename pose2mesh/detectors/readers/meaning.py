"""What the numbers of keypoints mean: the one place that decides which joints are seen and in which unit."""

from typing import Literal

import numpy as np

from pose2mesh.errors import InputError, warn

LARGEST_COORDINATE = 1e6  # pixels; no picture is larger, and squares of it stay exact enough in float32
LARGEST_SCORE = 20.0  # of networks whose scores leave [0, 1]; per cent and depth go beyond
CORNER = 1e-6  # pixels or fractions; below it a coordinate is zero
FRACTIONS_END = 2.0  # people of whom everything seen lies within this of the corner are not given in pixels

# What a format says of its unit. Pixels and fractions of the picture are told apart by their size, save where a
# format has fractions only. Fractions begin at the top left corner; OpenPose also knows those from the middle, -1..1.
Unit = Literal["pixels or fractions", "pixels, fractions or -1..1", "pixels or fractions of a canvas", "fractions"]


def in_pixels(
    values: np.ndarray,
    where: str,
    joints: tuple[str, ...],
    image_size: tuple[int, int] | None,
    *,
    unit: Unit = "pixels or fractions",
    scored: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Points [P, J, 2] in pixels and confidences [P, J] in [0, 1] of values [P, J, 2 or 3] as somebody wrote them.

    Missing, with confidence 0 and zeros for a place, is a joint whose confidence is 0 or less, one at exactly (0, 0)
    (YOLO moves doubtful joints there and keeps their scores) and one whose coordinates are both negative (-1, -1 and
    the like; others with a warning). The third column is the confidence, cut to [0, 1] (COCO's flags 0, 1, 2 become 0,
    1, 1); without one every joint counts as seen. Unless the format promises that (`scored`), a column that leaves
    [0, 1] is depth.
    Raises InputError for depth and per cent, for seen joints that are not finite or beyond 10^6 pixels (naming person
    and joint), and for fractions of a picture whose size nobody told.
    """
    confidence = _confidence(values, where, joints, scored)  # [P, J]
    given = values[..., :2]  # [P, J, 2]
    seen = (confidence > 0) & ~(np.abs(given) <= CORNER).all(axis=-1)  # [P, J]
    kind = _unit_of(given[seen], unit, where)
    lost = seen & ((given == -1) if kind == "-1..1" else (given < 0)).all(axis=-1)  # [P, J]
    seen &= ~lost
    if places := int((lost & (given[..., 0] != given[..., 1])).sum()):  # others are marks, such as -1, -1
        warn(
            f"{where}: {places} joints with both coordinates negative are taken as missing; if they were seen, beyond "
            "the picture's corner, move the origin for all"
        )
    points = np.where(seen[..., None], given, 0.0)  # [P, J, 2]
    refuse(~np.isfinite(points).min(axis=-1), points, where, joints, "position")
    refuse(np.any(np.abs(points) > LARGEST_COORDINATE, axis=-1), points, where, joints, "position")
    if kind != "pixels":
        points = _scaled(points, kind, image_size, where)
        points[~seen] = 0
    return points, np.where(seen, confidence, np.float32(0))


def _confidence(values: np.ndarray, where: str, joints: tuple[str, ...], scored: bool) -> np.ndarray:
    """Confidences [P, J] float32 of values [P, J, 2 or 3]."""
    if values.shape[2] == 2:
        return np.ones(values.shape[:2], np.float32)
    third = values[..., 2]
    refuse(~np.isfinite(third), third[..., None], where, joints, "confidence")
    flags = np.isin(third, (0, 1, 2)).all()
    if not scored and not flags and (third.min(initial=0) < 0 or third.max(initial=0) > 1.001):
        raise InputError(
            f"{where}: the third column runs from {third.min():g} to {third.max():g}, which no confidence does; joints "
            "in 3D are not taken: give x, y and a confidence cut to [0, 1], or x, y alone"
        )
    if np.abs(third).max(initial=0) > LARGEST_SCORE:
        raise InputError(
            f"{where}: the confidences run from {third.min():g} to {third.max():g}, as per cent or depth do; "
            "scale them to [0, 1], or leave them out"
        )
    return third.clip(0, 1).astype(np.float32)  # what is zero then was none


def _unit_of(seen: np.ndarray, unit: Unit, where: str) -> str:
    """`pixels`, `fractions` or `-1..1` for the seen points [N, 2] of one picture."""
    if unit == "fractions":
        return unit
    seen = seen[(seen != -1).any(axis=-1)]  # a missing joint in every unit
    small = np.abs(seen).max(initial=0) <= FRACTIONS_END  # False, too, if one is not finite
    if not small or len(seen) == 0 or np.ptp(seen, axis=0).max() == 0:  # at one point: refused later for that
        return "pixels"
    if unit == "pixels or fractions of a canvas" or (seen >= 0).all():
        return "fractions"
    if unit == "pixels, fractions or -1..1":
        return "-1..1"
    raise InputError(
        f"{where}: the coordinates lie between {seen.min():g} and {seen.max():g}: fractions of a picture, but do they "
        "begin at its corner or its middle? give pixels"
    )


def _scaled(points: np.ndarray, kind: str, image_size: tuple[int, int] | None, where: str) -> np.ndarray:
    """Fractions [P, J, 2] of the picture as pixels."""
    if image_size is None:
        raise InputError(
            f"{where}: the coordinates are fractions of a picture whose size nobody told; give --image-size WxH "
            "(in the library image_size=(width, height))"
        )
    fractions = (points + 1) / 2 if kind == "-1..1" else points
    return fractions * np.asarray(image_size, np.float64)


def refuse(bad: np.ndarray, values: np.ndarray, where: str, joints: tuple[str, ...], what: str) -> None:
    """Raise InputError for the first True of `bad` [P, J], quoting its `values` [P, J, C]."""
    if bad.any():
        person, joint = (int(i) for i in np.argwhere(bad)[0])
        found = ", ".join(f"{v:g}" for v in values[person, joint])
        raise InputError(
            f"{where}: person {person}, joint {joints[joint]}: {what} is {found}; "
            "a missing joint needs confidence 0, a seen one finite pixels"
        )
