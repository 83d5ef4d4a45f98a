"""Which joints the rows of keypoints are: by the names that a file gives, else by their number."""

from functools import lru_cache

import numpy as np

from pose2mesh.errors import InputError
from pose2mesh.skeletons import HAND21, WITH_HANDS, JointSet, joint_sets
from pose2mesh.skeletons import joint_set as find_joint_set

# Joint counts that name a set. 17 is also human36m17: only the caller can tell, COCO is by far the commoner.
SET_OF_COUNT = {
    **{16: "mpii16", 17: "coco17", 18: "openpose18", 19: "coco19", 21: "hand21", 23: "coco23", 24: "smpl24"},
    **{25: "openpose25", 26: "halpe26", 33: "mediapipe33", 59: "body_hands59", 60: "openpose60", 65: "wholebody65"},
    **{48: "union48", 67: "openpose67", 68: "halpe68", 75: "mediapipe75"},
}
_ASK = {14: ("crowdpose14", "aic14", "lsp14")}  # equally common, and each another order


def _goliath_rows() -> list[int]:
    """The rows of `wholebody65` among Sapiens' 308 points (Goliath): 15 joints of the body without wrists, six of the
    feet, then the right and the left hand from the fingertips down, each with its wrist at the end.
    """
    hands = {"left": 42, "right": 21}
    rows = [*range(9), 62, 41, *range(9, 21)]
    for first in hands.values():
        wrist, fingers = first + 20, [first + 4 * finger + k for finger in range(5) for k in (3, 2, 1, 0)]
        rows += [wrist, *fingers]
    return rows


# Whole bodies with points that no set of ours holds (the face): their set, and its rows.
_WHOLE_BODIES = {
    133: ("wholebody65", [*range(23), *range(91, 133)]),  # COCO-WholeBody: body, feet, face, left and right hand
    136: ("halpe68", [*range(26), *range(94, 136)]),  # Halpe full body: body and feet, face, left and right hand
    308: ("wholebody65", _goliath_rows()),
}
KNOWN_COUNTS = frozenset({*SET_OF_COUNT, *_ASK, *_WHOLE_BODIES})

# What others call our joints, in any set and in single ones.
_WORDS = {"mid_hip": "pelvis", "root": "pelvis", "hip": "pelvis", "top_head": "head_top", "mouth_left": "left_mouth"}
_WORDS |= {"mouth_right": "right_mouth", "forefinger": "index", "middle_finger": "middle", "ring_finger": "ring"}
_WORDS |= {"pinky_finger": "pinky", "hand_root": "hand_wrist", "head_bottom": "upper_neck"}
_OF_SET = {
    "human36m17": {
        **{"spine": "torso", "thorax": "neck", "neck_base": "nose", "head": "head_top"},
        **{"left_foot": "left_ankle", "right_foot": "right_ankle"},
    },
    "halpe26": {"head": "head_top"},
    "halpe68": {"head": "head_top"},
    **{name: {"neck": "upper_neck", "head": "head_top"} for name in _ASK[14]},
}
_DATA_SETS = {
    **{"coco": "coco17", "h36m": "human36m17", "halpe": "halpe68", "halpe26": "halpe26", "crowdpose": "crowdpose14"},
    **{"aic": "aic14", "mpii": "mpii16", "coco_wholebody": "wholebody65", "goliath": "wholebody65"},
    **{"coco_wholebody_hand": "hand21", "onehand10k": "hand21", "freihand": "hand21"},
}


def by_number(values: np.ndarray, joint_set: str | None, where: str) -> tuple[np.ndarray, JointSet]:
    """Values [P, J, C] with the set that their number of joints names; `joint_set` overrules the guess.

    Whole bodies lose the points that no set holds. Raises InputError that names the expected numbers.
    """
    count, wanted = values.shape[1], None if joint_set is None else find_joint_set(joint_set)
    if wanted and count == len(wanted):
        return values, wanted
    if count in _WHOLE_BODIES:
        name, rows = _WHOLE_BODIES[count]
        if wanted and not holds(find_joint_set(name), wanted):
            raise InputError(f"{where}: {count} joints are a whole body, which does not hold all of {wanted.name}")
        return values[:, rows], find_joint_set(name)
    if wanted:
        known = find_joint_set(SET_OF_COUNT[count]) if count in SET_OF_COUNT else None
        if known and has_hands(known) and holds(known, wanted):
            return values, known
        if wanted is HAND21 and count == 42:
            raise InputError(f"{where}: 42 joints are two hands in one array; give each its own 21, as [2, 21, 2 or 3]")
        raise InputError(f"{where}: {count} joints, but joint set {wanted.name} has {len(wanted)}")
    if count in _ASK:
        raise InputError(f"{where}: {count} joints may be {', '.join(_ASK[count])}; say which by --joint-set")
    if count not in SET_OF_COUNT:
        numbers = SET_OF_COUNT | {n: "/".join(names) for n, names in _ASK.items()}
        numbers |= {n: f"whole body as {name}" for n, (name, _) in _WHOLE_BODIES.items()}
        known = ", ".join(f"{n} ({name})" for n, name in sorted(numbers.items()))
        raise InputError(
            f"{where}: {count} joints belong to no known joint set; expected one of {known}, or those of "
            "another set, named by --joint-set (in the library joint_set)"
        )
    return values, find_joint_set(SET_OF_COUNT[count])


def by_name(values: np.ndarray, names: tuple[str, ...], where: str) -> tuple[np.ndarray, JointSet]:
    """Values [P, J, C] whose joints are named, in the order of the smallest set that holds them all.

    Joints of that set which have no name are zeros (missing). Points of faces are left out. Raises InputError for
    names of no joint of a person, repeated names and another number of them than of joints.
    """
    if len(names) != values.shape[1]:
        raise InputError(f"{where}: {len(names)} names for {values.shape[1]} joints")
    try:
        target, rows = _order(names)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    out = np.zeros((len(values), len(target), values.shape[2]))
    out[:, list(rows.values())] = values[:, list(rows)]
    if values.shape[2] == 2 and len(rows) < len(target):  # a third column has to tell which are missing
        column = np.zeros((len(values), len(target), 1))
        column[:, list(rows.values())] = 1
        out = np.concatenate([out, column], axis=-1)
    return out, target


@lru_cache(maxsize=16)
def _order(names: tuple[str, ...]) -> tuple[JointSet, dict[int, int]]:
    """The set, and which row of it each of the named joints is."""
    words = {row: _plain(name) for row, name in enumerate(names)}
    words = {row: word for row, word in words.items() if not word.startswith("face_")}
    if not words:
        raise InputError("no joint of a person is named")
    for target in sorted(joint_sets(), key=len):
        is_whole = target.name not in _ASK[14] or len(words) == 14  # where some are left out, a neck may be any
        own = _OF_SET.get(target.name, {}) if is_whole else {}
        rows = {row: own.get(word, _WORDS.get(word, word)) for row, word in words.items()}
        if set(rows.values()) <= set(target.joints) and len(set(rows.values())) == len(rows):
            return target, {row: target.index(joint) for row, joint in rows.items()}
    known = {joint for joints in joint_sets() for joint in joints.joints}
    known |= _WORDS.keys() | {word for own in _OF_SET.values() for word in own}
    unknown = [names[row] for row, word in words.items() if word not in known]
    if unknown:
        raise InputError(
            f"{unknown[0]!r:.60} names no joint of a person that is known here; "
            "rename it (left_hip, right_big_toe, ...) or take it out"
        )
    raise InputError(f"no joint set holds all the {len(names)} joints that are named, or a name stands twice")


def _plain(name: str) -> str:
    """A name as we write them: lower case, underscores, the side in front, fingers of hands as ours."""
    word = "".join(f"_{c}" if c.isupper() and i and name[i - 1].islower() else c for i, c in enumerate(name.strip()))
    word = word.lower().replace("-", "_").replace(" ", "_")
    for short, side in (("l_", "left_"), ("r_", "right_")):
        word = side + word.removeprefix(short) if word.startswith(short) else word
    side, _, rest = word.partition("_") if word.startswith(("left_", "right_")) else ("", "", word)
    stem = rest.rstrip("0123456789")
    finger = _WORDS.get(stem, stem) + rest[len(stem) :]
    if finger in HAND21.joints and rest != "wrist":
        return f"{side}_hand_{finger}" if side else finger
    return f"{side}_hand_wrist" if side and rest == "hand_root" else word


def set_of_data_set(name: str | None, where: str) -> str | None:
    """The joint set of a data set by the name that MMPose gives it; None for None, InputError for one of no person."""
    if name is not None and name.lower() not in _DATA_SETS:
        raise InputError(
            f"{where}: joints of the data set {name!r:.40}, which is not known to show people, and nothing names them; "
            "add keypoint_id2name, or say which they are by --joint-set"
        )
    return _DATA_SETS[name.lower()] if name is not None else None


def has_hands(joints: JointSet) -> bool:
    return joints in WITH_HANDS.values()


def holds(joints: JointSet, wanted: JointSet) -> bool:
    """Whether all the wanted joints, or the hands wanted, are among the others."""
    return has_hands(joints) if wanted is HAND21 else set(wanted.joints) <= set(joints.joints)
