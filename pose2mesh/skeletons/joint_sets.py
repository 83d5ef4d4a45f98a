"""Joint sets as data: names, bones, left/right partners and the root of every set the package knows.

Equal names mean the same point of the body in every set, so conversion between sets is by name
(`pose2mesh.skeletons.conversion`).
"""

from dataclasses import dataclass
from functools import cached_property

from pose2mesh.errors import InputError


@dataclass(frozen=True)
class JointSet:
    """A named, ordered set of joints."""

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[str, str], ...]
    root: str | None = None  # joint that root-relative coordinates refer to, where the set has one

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        return self.joints.index(joint)

    @cached_property
    def bone_indices(self) -> tuple[tuple[int, int], ...]:
        return tuple((self.index(a), self.index(b)) for a, b in self.bones)

    @cached_property
    def flip_permutation(self) -> tuple[int, ...]:
        """Index of each joint's mirror partner; joints on the mid-line map to themselves."""
        return tuple(self.index(mirror_name(joint)) for joint in self.joints)

    @cached_property
    def flip_pairs(self) -> tuple[tuple[int, int], ...]:
        return tuple((i, j) for i, j in enumerate(self.flip_permutation) if i < j)


def mirror_name(joint: str) -> str:
    """`left_x` to `right_x` and back; a mid-line name is returned as it is."""
    if joint.startswith("left_"):
        return "right_" + joint[5:]
    if joint.startswith("right_"):
        return "left_" + joint[6:]
    return joint


def _both_sides(*bones: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """Write limb bones once; `*` stands for the side."""
    return tuple((a.replace("*", side), b.replace("*", side)) for side in ("left", "right") for a, b in bones)


_COCO = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow "
    "left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
).split()
_COCO_BONES = (
    *_both_sides(("nose", "*_eye"), ("*_eye", "*_ear"), ("*_shoulder", "*_elbow"), ("*_elbow", "*_wrist")),
    *_both_sides(("*_hip", "*_knee"), ("*_knee", "*_ankle")),
)
_LEGS_TO_PELVIS = _both_sides(("pelvis", "*_hip"), ("*_hip", "*_knee"), ("*_knee", "*_ankle"))
_ARMS = _both_sides(("*_shoulder", "*_elbow"), ("*_elbow", "*_wrist"))
_FEET = _both_sides(("*_ankle", "*_big_toe"), ("*_big_toe", "*_small_toe"), ("*_ankle", "*_heel"))

COCO17 = JointSet(
    "coco17",
    tuple(_COCO),
    (
        *_COCO_BONES,
        *_both_sides(("*_shoulder", "*_hip")),
        ("left_shoulder", "right_shoulder"),
        ("left_hip", "right_hip"),
    ),
)
COCO19 = JointSet(  # COCO-17 with the pelvis and neck that Pose2Mesh appends (mid hips, mid shoulders)
    "coco19",
    (*_COCO, "pelvis", "neck"),
    (
        *_COCO_BONES,
        *_both_sides(("pelvis", "*_hip"), ("neck", "*_shoulder")),
        ("pelvis", "neck"),
        ("neck", "nose"),
    ),
    root="pelvis",
)
HUMAN36M17 = JointSet(
    "human36m17",
    tuple(
        "pelvis right_hip right_knee right_ankle left_hip left_knee left_ankle torso neck nose head_top "
        "left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist".split()
    ),
    (
        *_LEGS_TO_PELVIS,
        ("pelvis", "torso"),
        ("torso", "neck"),
        ("neck", "nose"),
        ("nose", "head_top"),
        *_both_sides(("neck", "*_shoulder")),
        *_ARMS,
    ),
    root="pelvis",
)
SMPL24 = JointSet(
    "smpl24",
    tuple(
        "pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle spine3 left_foot "
        "right_foot neck_base left_collar right_collar head left_shoulder right_shoulder left_elbow right_elbow "
        "left_wrist right_wrist left_hand right_hand".split()
    ),
    (
        *_LEGS_TO_PELVIS,
        *_both_sides(("*_ankle", "*_foot"), ("spine3", "*_collar"), ("*_collar", "*_shoulder")),
        ("pelvis", "spine1"),
        ("spine1", "spine2"),
        ("spine2", "spine3"),
        ("spine3", "neck_base"),
        ("neck_base", "head"),
        *_ARMS,
        *_both_sides(("*_wrist", "*_hand")),
    ),
    root="pelvis",
)
OPENPOSE18 = JointSet(
    "openpose18",
    tuple(
        "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
        "right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear".split()
    ),
    (
        ("neck", "nose"),
        *_both_sides(("neck", "*_shoulder"), ("neck", "*_hip"), ("*_hip", "*_knee"), ("*_knee", "*_ankle")),
        *_ARMS,
        *_both_sides(("nose", "*_eye"), ("*_eye", "*_ear")),
    ),
)
OPENPOSE25 = JointSet(
    "openpose25",
    tuple(
        "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist pelvis right_hip "
        "right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear left_big_toe "
        "left_small_toe left_heel right_big_toe right_small_toe right_heel".split()
    ),
    (
        ("neck", "nose"),
        ("neck", "pelvis"),
        *_both_sides(("neck", "*_shoulder"), ("nose", "*_eye"), ("*_eye", "*_ear")),
        *_LEGS_TO_PELVIS,
        *_ARMS,
        *_FEET,
    ),
    root="pelvis",
)
HALPE26 = JointSet(
    "halpe26",
    (
        *_COCO,
        *(
            "head_top neck pelvis left_big_toe right_big_toe left_small_toe right_small_toe left_heel right_heel"
        ).split(),
    ),
    (
        *_COCO_BONES,
        ("head_top", "neck"),
        ("neck", "pelvis"),
        *_both_sides(("neck", "*_shoulder"), ("pelvis", "*_hip")),
        *_FEET,
    ),
    root="pelvis",
)
MEDIAPIPE33 = JointSet(
    "mediapipe33",
    tuple(
        "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear right_ear "
        "left_mouth right_mouth left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist "
        "left_pinky right_pinky left_index right_index left_thumb right_thumb left_hip right_hip left_knee "
        "right_knee left_ankle right_ankle left_heel right_heel left_foot_index right_foot_index".split()
    ),
    (
        *COCO17.bones,
        ("left_mouth", "right_mouth"),
        *_both_sides(("*_wrist", "*_index"), ("*_wrist", "*_thumb"), ("*_index", "*_pinky")),
        *_both_sides(("*_ankle", "*_heel"), ("*_heel", "*_foot_index")),
    ),
)
_FINGERS = ("thumb", "index", "middle", "ring", "pinky")
HAND21 = JointSet(
    "hand21",
    ("wrist", *(f"{finger}{k}" for finger in _FINGERS for k in range(1, 5))),
    tuple(
        bone
        for finger in _FINGERS
        for bone in (("wrist", f"{finger}1"), *((f"{finger}{k}", f"{finger}{k + 1}") for k in range(1, 4)))
    ),
    root="wrist",
)


def hand_of_body(side: str) -> JointSet:
    """The joints of a hand as `body_hands59` names them, in the order of `hand21`."""
    named = {joint: f"{side}_hand_{joint}" for joint in HAND21.joints}
    return JointSet(f"{side}_hand21", tuple(named.values()), tuple((named[a], named[b]) for a, b in HAND21.bones))


_BODY_HANDS = (COCO17, hand_of_body("left"), hand_of_body("right"))
BODY_HANDS59 = JointSet(  # a wrist of the body and one of the hand: they come from different detectors
    "body_hands59",
    tuple(joint for part in _BODY_HANDS for joint in part.joints),
    (*(bone for part in _BODY_HANDS for bone in part.bones), *_both_sides(("*_wrist", "*_hand_wrist"))),
)

JOINT_SETS = {
    s.name: s
    for s in (
        *(COCO17, COCO19, HUMAN36M17, SMPL24, OPENPOSE18, OPENPOSE25, HALPE26, MEDIAPIPE33),
        *(HAND21, BODY_HANDS59),
    )
}
_ALIASES = {
    "coco": "coco17",
    "human36": "human36m17",
    "h36m": "human36m17",
    "smpl": "smpl24",
    "mano": "hand21",
    "body25": "openpose25",
    "body_25": "openpose25",
    "halpe": "halpe26",
    "mediapipe": "mediapipe33",
}


def joint_set(name: str) -> JointSet:
    """Look a joint set up by name or alias. Raises InputError naming the known ones."""
    key = _ALIASES.get(name.lower(), name.lower())
    if key not in JOINT_SETS:
        raise InputError(f"unknown joint set {name!r}; known: {', '.join(sorted(JOINT_SETS))}")
    return JOINT_SETS[key]
