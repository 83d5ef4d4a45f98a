"""Joint sets as data: names, bones, left/right partners and the root of every set the package knows.

Equal names mean the same point of the body in every set, so conversion between sets is by name
(`pose2mesh.skeletons.conversion`).
"""

from contextlib import suppress

from pose2mesh.errors import InputError
from pose2mesh.plugins import find, names, register
from pose2mesh.skeletons.structure import JointSet, both_sides

_COCO = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow "
    "left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
).split()
_COCO_BONES = (
    *both_sides(("nose", "*_eye"), ("*_eye", "*_ear"), ("*_shoulder", "*_elbow"), ("*_elbow", "*_wrist")),
    *both_sides(("*_hip", "*_knee"), ("*_knee", "*_ankle")),
)
_LEGS_TO_PELVIS = both_sides(("pelvis", "*_hip"), ("*_hip", "*_knee"), ("*_knee", "*_ankle"))
_ARMS = both_sides(("*_shoulder", "*_elbow"), ("*_elbow", "*_wrist"))
_FEET = both_sides(("*_ankle", "*_big_toe"), ("*_big_toe", "*_small_toe"), ("*_ankle", "*_heel"))

COCO17 = JointSet(
    "coco17",
    tuple(_COCO),
    (
        *_COCO_BONES,
        *both_sides(("*_shoulder", "*_hip")),
        ("left_shoulder", "right_shoulder"),
        ("left_hip", "right_hip"),
    ),
)
COCO19 = JointSet(  # COCO-17 with the pelvis and neck that Pose2Mesh appends (mid hips, mid shoulders)
    "coco19",
    (*_COCO, "pelvis", "neck"),
    (*_COCO_BONES, *both_sides(("pelvis", "*_hip"), ("neck", "*_shoulder")), ("pelvis", "neck"), ("neck", "nose")),
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
        *both_sides(("neck", "*_shoulder")),
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
        *both_sides(("*_ankle", "*_foot"), ("spine3", "*_collar"), ("*_collar", "*_shoulder")),
        ("pelvis", "spine1"),
        ("spine1", "spine2"),
        ("spine2", "spine3"),
        ("spine3", "neck_base"),
        ("neck_base", "head"),
        *_ARMS,
        *both_sides(("*_wrist", "*_hand")),
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
        *both_sides(("neck", "*_shoulder"), ("neck", "*_hip"), ("*_hip", "*_knee"), ("*_knee", "*_ankle")),
        *_ARMS,
        *both_sides(("nose", "*_eye"), ("*_eye", "*_ear")),
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
        *both_sides(("neck", "*_shoulder"), ("nose", "*_eye"), ("*_eye", "*_ear")),
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
        *both_sides(("neck", "*_shoulder"), ("pelvis", "*_hip")),
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
        *both_sides(("*_wrist", "*_index"), ("*_wrist", "*_thumb"), ("*_index", "*_pinky")),
        *both_sides(("*_ankle", "*_heel"), ("*_heel", "*_foot_index")),
    ),
)
_FOOT_POINTS = "left_big_toe left_small_toe left_heel right_big_toe right_small_toe right_heel".split()
COCO23 = JointSet("coco23", (*_COCO, *_FOOT_POINTS), (*COCO17.bones, *_FEET))  # with the feet of COCO-WholeBody
# The neck of these data sets lies between the collar bones and the head: it is not the middle of the shoulders.
_HEAD_TRUNK_LIMBS = (
    *both_sides(("upper_neck", "*_shoulder"), ("*_shoulder", "*_hip"), ("*_hip", "*_knee"), ("*_knee", "*_ankle")),
    *_ARMS,
    ("upper_neck", "head_top"),
    ("left_hip", "right_hip"),
)
CROWDPOSE14 = JointSet("crowdpose14", (*_COCO[5:], "head_top", "upper_neck"), _HEAD_TRUNK_LIMBS)
AIC14 = JointSet(  # AI Challenger
    "aic14",
    tuple(
        "right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
        "right_ankle left_hip left_knee left_ankle head_top upper_neck".split()
    ),
    _HEAD_TRUNK_LIMBS,
)
_LEGS_ACROSS = "right_ankle right_knee right_hip left_hip left_knee left_ankle".split()
_ARMS_ACROSS = "right_wrist right_elbow right_shoulder left_shoulder left_elbow left_wrist".split()
LSP14 = JointSet("lsp14", (*_LEGS_ACROSS, *_ARMS_ACROSS, "upper_neck", "head_top"), _HEAD_TRUNK_LIMBS)
MPII16 = JointSet(
    "mpii16",
    (*_LEGS_ACROSS, "pelvis", "thorax", "upper_neck", "head_top", *_ARMS_ACROSS),
    (
        *_LEGS_TO_PELVIS,
        *_ARMS,
        *both_sides(("thorax", "*_shoulder")),
        ("pelvis", "thorax"),
        ("thorax", "upper_neck"),
        ("upper_neck", "head_top"),
    ),
    root="pelvis",
)
_KNUCKLES = "left_index left_pinky left_thumb right_index right_pinky right_thumb".split()
BODY32 = JointSet(  # what the free body's networks return: COCO-19 first, then the head's top, feet and knuckles
    "body32",
    (*COCO19.joints, "head_top", *_FOOT_POINTS, *_KNUCKLES),
    (
        *COCO19.bones,
        ("neck", "head_top"),
        *_FEET,
        *both_sides(("*_wrist", "*_index"), ("*_wrist", "*_pinky"), ("*_wrist", "*_thumb")),
    ),
    root="pelvis",
)
_ELSEWHERE = (  # joints of single sets
    "left_foot_index right_foot_index torso spine1 spine2 spine3 neck_base head left_collar right_collar left_foot "
    "right_foot left_hand right_hand thorax upper_neck"
).split()
UNION48 = JointSet(  # what networks take that know every detector: all joints that a body's set may name
    "union48",
    (*BODY32.joints, *_ELSEWHERE),
    (
        *BODY32.bones,
        *both_sides(("*_heel", "*_foot_index"), ("*_ankle", "*_foot"), ("*_wrist", "*_hand"), ("spine3", "*_collar")),
        *(("pelvis", "spine1"), ("spine1", "spine2"), ("spine2", "spine3"), ("spine3", "neck_base")),
        *(("neck_base", "head"), ("pelvis", "torso"), ("neck", "thorax"), ("neck", "upper_neck")),
    ),
    root="pelvis",
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


def _with_hands(name: str, body: JointSet) -> JointSet:
    """A body, then its left and its right hand; the body's wrist and the hand's come from different detectors."""
    parts = (body, hand_of_body("left"), hand_of_body("right"))
    return JointSet(
        name,
        tuple(joint for part in parts for joint in part.joints),
        (*(bone for part in parts for bone in part.bones), *both_sides(("*_wrist", "*_hand_wrist"))),
        body.root,
    )


BODY_HANDS59 = _with_hands("body_hands59", COCO17)
# What a body is called together with its hands.
WITH_HANDS = {
    "coco17": BODY_HANDS59,
    "coco23": _with_hands("wholebody65", COCO23),
    "halpe26": _with_hands("halpe68", HALPE26),
    "openpose18": _with_hands("openpose60", OPENPOSE18),
    "openpose25": _with_hands("openpose67", OPENPOSE25),
    "mediapipe33": _with_hands("mediapipe75", MEDIAPIPE33),
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
    "crowdpose": "crowdpose14",
    "aic": "aic14",
    "lsp": "lsp14",
    "mpii": "mpii16",
    "mediapipe": "mediapipe33",
}


def plain_name(name: str) -> str:
    """The name under which a set is looked up: in lower case, of an alias what it stands for."""
    plain = str(name).lower()
    return _ALIASES.get(plain, plain)


for _set in (
    *(COCO17, COCO19, HUMAN36M17, SMPL24, OPENPOSE18, OPENPOSE25, HALPE26, MEDIAPIPE33, HAND21),
    *(COCO23, CROWDPOSE14, AIC14, LSP14, MPII16, BODY32, UNION48),
    *WITH_HANDS.values(),
):
    register("joint_set", _set.name, _set)
# Of COCO-19 and of every set that begins with it: the joints of COCO-17, and the pelvis.
COCO_ROWS, PELVIS_ROW = slice(len(COCO17.joints)), COCO19.index("pelvis")


def joint_set(name: str) -> JointSet:
    """Look a joint set up by name or alias. Raises InputError naming the known ones."""
    return find("joint_set", plain_name(name))


def joint_sets() -> list[JointSet]:
    """All sets: the package's own, and those of plug-ins after them; `doctor` tells which cannot be loaded."""
    known = []
    for name in names("joint_set"):
        with suppress(InputError):
            known.append(joint_set(name))
    return known
