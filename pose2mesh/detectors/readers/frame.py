"""People as keypoint files hold them, and the one way from there to keypoints that every format goes."""

from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from pose2mesh.detectors.readers.hands import SIDES, drop_missing, split_hands
from pose2mesh.detectors.readers.meaning import Unit, in_pixels
from pose2mesh.detectors.readers.naming import by_name, by_number, has_hands, holds, set_of_data_set
from pose2mesh.errors import FormatError, InputError, warn
from pose2mesh.skeletons import HAND21, WITH_HANDS, JointSet
from pose2mesh.skeletons import joint_set as find_joint_set
from pose2mesh.types import Intrinsics, Keypoints2D

MOSTLY = 0.5  # share of joints outside of their picture from which that is another one
LOW_CONFIDENCE = 0.3  # where nothing seen is above it, the scores doubt everything


class Frame(NamedTuple):
    """The people of one picture or video frame."""

    name: str  # stem for output files
    keypoints: Keypoints2D


class FoundPerson(NamedTuple):
    """What a file holds of one person: rows x, y and, in most formats, a confidence. None where it holds nothing."""

    body: np.ndarray | None  # [J, 2 or 3]
    left: np.ndarray | None = None  # hand [21, 2 or 3]
    right: np.ndarray | None = None


class Picture(NamedTuple):
    """One picture of a file as its format gives it, before anything is decided: what readers return."""

    name: str  # stem for output files
    people: list[FoundPerson]
    where: str  # file and place in it, for messages
    size: tuple[int, int] | None = None  # (width, height) pixels, where the file tells it
    names: tuple[str, ...] | None = None  # of the body's joints, where the file tells them
    data_set: str | None = None  # whose joints the body's are, where the file tells that alone
    unit: Unit = "pixels or fractions"
    scored: bool = True  # whether the format promises that a third column is a confidence
    hands_apart: bool = False  # whether the format keeps hands beside the body, so that none there is none seen
    sides: tuple[str, ...] | None = None  # left or right of each body, where bodies are hands and the file tells it
    tracks: tuple[int | None, ...] = ()  # of each person: who it is over time, where the file tells it
    camera: Intrinsics | None = None  # that took it, where the file tells it
    nobody: str = "coco17"  # joint set of a picture without people


def to_frame(picture: Picture, joint_set: str | None, image_size: tuple[int, int] | None) -> Frame:
    """The people of a picture as keypoints in pixels; the file's own size of the picture goes before `image_size`.

    Hands beside the bodies come with them (`openpose67`, ...) or alone (joint set hand21). People without a body are
    left out, with a warning; they are no reason to lose the others. Raises InputError as `to_keypoints` does.
    """
    wanted = find_joint_set(joint_set) if joint_set else None
    people = [person for person in picture.people if wanted is HAND21 or person.body is not None]
    if len(people) < len(picture.people):
        lost = len(picture.people) - len(people)
        warn(f"{picture.where}: {lost} of {len(picture.people)} people have no body and are left out")
    size = picture.size or image_size
    if not people:
        return Frame(picture.name, _nobody(wanted.name if wanted else picture.nobody, size and tuple(size)))
    hands = any(hand is not None for person in people for hand in (person.left, person.right))
    if wanted is HAND21 and picture.hands_apart:
        values = _stack([_hand(hand) for person in people for hand in person[1:]], picture.where)
        return Frame(picture.name, _finish(values, HAND21, HAND21, picture, size, SIDES * len(people)))
    values = _stack([person.body for person in people if person.body is not None], picture.where)  # [P, J, 2 or 3]
    values, joints = _named(values, picture, None if wanted is HAND21 and hands else wanted)
    if joints.name in WITH_HANDS and (hands or (wanted and has_hands(wanted))):
        parts = [_stack([_hand(person[side]) for person in people], picture.where) for side in (1, 2)]
        values = np.concatenate([_with_confidence(part) for part in (values, *parts)], axis=1)
        joints = WITH_HANDS[joints.name]
    found = _finish(values, joints, wanted, picture, size, picture.sides)
    tracks = tuple(track for track in picture.tracks if track is not None)
    if (
        len(set(tracks)) == len(found) == len(picture.people)
    ):  # numbers that leave somebody out, or two alike, tell nothing
        found = replace(found, tracks=tracks)
    return Frame(picture.name, found)


def to_keypoints(
    values: np.ndarray,
    where: str,
    joint_set: str | None = None,
    image_size: tuple[int, int] | None = None,
    handedness: tuple[str, ...] | None = None,
) -> Keypoints2D:
    """Keypoints of people [P, J, 2 or 3]: x, y and a confidence.

    What their numbers mean decides `in_pixels`, which joints they are `by_number`. Whole bodies asked for as hand21
    become their hands, those without a seen joint left out. Raises InputError for another shape, for a number of joints
    of no set, and as `in_pixels` does.
    """
    _check_shape(values, list(values.shape), where)
    wanted = find_joint_set(joint_set) if joint_set else None
    picture = Picture("", [], where, scored=False)
    values, joints = _named(values, picture, wanted)
    if wanted and has_hands(wanted) and joints.name in WITH_HANDS:  # of whom no hand is there
        values, hands = _with_confidence(values), np.zeros((len(values), 2 * len(HAND21), 3))
        values, joints = np.concatenate([values, hands], axis=1), WITH_HANDS[joints.name]
    return _finish(values, joints, wanted, picture, image_size, handedness)


def number_array(values: Any, where: str) -> np.ndarray:
    """A float64 array of a parsed JSON value or an array; FormatError unless rectangular and numeric."""
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, OverflowError) as error:
        raise FormatError(f"{where}: keypoints are not a rectangular array of numbers") from error
    if array.size == 0 or array.dtype.kind not in "fiu":
        found = "nothing" if array.size == 0 else f"values of type {array.dtype.name}"
        raise FormatError(f"{where}: keypoints must be numbers, found {found}")
    if np.ma.is_masked(values):  # an array without its mask would show what the mask hides
        raise FormatError(f"{where}: a masked array hides some of its numbers; write missing joints with confidence 0")
    return array.astype(np.float64)


def warn_of_doubts(keypoints: list[Keypoints2D], where: str) -> None:
    """Say so where nobody's best joint is trusted: networks take low scores for doubt, and answer with the mean.

    And where most joints lie outside of the picture whose size was told, since distances follow from that.
    """
    sized = [found for found in keypoints if len(found) and found.image_size]
    outside = [np.any(found.points > found.image_size, axis=-1)[found.confidence > 0] for found in sized]
    if sum(map(len, outside)) and np.concatenate(outside).mean() > MOSTLY:
        size = "x".join(map(str, sized[0].image_size or ()))
        warn(
            f"{where}: most joints lie outside of the picture of {size} pixels; give the size of the one that they are "
            "from, width first"
        )
    best = [float(found.confidence.max()) for found in keypoints if len(found) and found.confidence.any()]
    if best and max(best) < LOW_CONFIDENCE:
        warn(
            f"{where}: no joint has a higher confidence than {max(best):.2g}, so all are taken as doubtful and the "
            "mesh gets worse; if they are right, leave the confidences out or scale them to 1"
        )


def _named(values: np.ndarray, picture: Picture, wanted: JointSet | None) -> tuple[np.ndarray, JointSet]:
    """Bodies [P, J, C] and the set of their joints: by the file's names, the file's word, the caller's, the number."""
    if picture.names:
        return by_name(values, picture.names, picture.where)
    if wanted and has_hands(wanted) and values.shape[1] != len(wanted):
        wanted = None  # the hands come beside the body
    told = wanted.name if wanted else None
    return by_number(values, told or set_of_data_set(picture.data_set, picture.where), picture.where)


def _finish(
    values: np.ndarray,
    joints: JointSet,
    wanted: JointSet | None,
    picture: Picture,
    size: tuple[int, int] | None,
    sides: tuple[str, ...] | None = None,
) -> Keypoints2D:
    """Keypoints of values [P, J, 2 or 3] in one set, or in the wanted one where it is a part of that."""
    only_hands = wanted is HAND21 and has_hands(joints)
    if only_hands:
        values, sides = split_hands(values, joints)
        joints = HAND21
    elif wanted and wanted is not joints and holds(joints, wanted):
        values, joints = values[:, [joints.index(joint) for joint in wanted.joints]], wanted
    points, confidence = in_pixels(values, picture.where, joints.joints, size, unit=picture.unit, scored=picture.scored)
    points, confidence = points.astype(np.float32), confidence.astype(np.float32)
    found = Keypoints2D(points, confidence, joints.name, size, sides, picture.camera)
    return drop_missing(found) if only_hands or (picture.hands_apart and sides) else found


@cache  # one for all: a file may have a third of a million such pictures
def _nobody(joint_set: str, size: tuple[int, int] | None) -> Keypoints2D:
    """Keypoints of a picture with nobody in it (P = 0)."""
    count = len(find_joint_set(joint_set))
    return Keypoints2D(np.zeros((0, count, 2), np.float32), np.zeros((0, count), np.float32), joint_set, size)


def _stack(people: list[np.ndarray], where: str) -> np.ndarray:
    """Joints [P, J, C] of people [J, C], which must have the same."""
    if len({person.shape for person in people}) > 1:
        shapes = sorted({person.shape for person in people})
        found = " and ".join(str(list(shape)) for shape in shapes)
        raise InputError(f"{where}: people's joints have different shapes, {found}; one joint set per file")
    values = np.stack(people) if people else np.zeros((0, 0, 3))
    _check_shape(values, list(values.shape[1:]), where)
    return values


def _check_shape(values: np.ndarray, shape: list[int], where: str) -> None:
    """Raise InputError, naming the shape, unless these are people [P, J, 2 or 3]."""
    if values.ndim != 3 or values.shape[2] not in (2, 3):
        raise InputError(f"{where}: keypoints have shape {shape}, expected [joints, 2 or 3] per person")


def _hand(hand: np.ndarray | None) -> np.ndarray:
    """Joints [21, 3] of a hand; all are missing where the file holds none."""
    return np.zeros((len(HAND21), 3)) if hand is None else _with_confidence(hand)


def _with_confidence(values: np.ndarray) -> np.ndarray:
    """Values [..., 2 or 3] with their third column."""
    return values if values.shape[-1] == 3 else np.concatenate([values, np.ones_like(values[..., :1])], axis=-1)
