"""Joint sets against the index tables that their owners publish, and the symmetry of each."""

import pytest

from pose2mesh.errors import InputError
from pose2mesh.skeletons import joint_set, joint_sets, mirror_name

SETS = sorted(joints.name for joints in joint_sets())

# Index of a few joints as the format's owner numbers them; enough to catch a swap or a shift.
PUBLISHED = {
    "coco17": {
        "nose": 0,
        "left_eye": 1,
        "right_ear": 4,
        "left_shoulder": 5,
        "right_wrist": 10,
        "right_ankle": 16,
    },
    "coco19": {"left_shoulder": 5, "right_ankle": 16, "pelvis": 17, "neck": 18},
    "human36m17": {
        "pelvis": 0,
        "right_hip": 1,
        "left_ankle": 6,
        "torso": 7,
        "head_top": 10,
        "right_wrist": 16,
    },
    "smpl24": {"pelvis": 0, "left_hip": 1, "right_foot": 11, "left_collar": 13, "head": 15, "right_hand": 23},
    "openpose18": {
        "neck": 1,
        "right_shoulder": 2,
        "left_wrist": 7,
        "right_hip": 8,
        "right_eye": 14,
        "left_ear": 17,
    },
    "openpose25": {"pelvis": 8, "right_hip": 9, "left_ankle": 14, "left_big_toe": 19, "right_heel": 24},
    "halpe26": {
        "right_ankle": 16,
        "head_top": 17,
        "neck": 18,
        "pelvis": 19,
        "left_big_toe": 20,
        "right_heel": 25,
    },
    "mediapipe33": {"nose": 0, "left_eye_inner": 1, "left_ear": 7, "left_shoulder": 11, "left_pinky": 17},
    "coco23": {"right_ankle": 16, "left_big_toe": 17, "left_small_toe": 18, "left_heel": 19, "right_heel": 22},
    # MMPose: configs/_base_/datasets/{crowdpose,aic,mpii}.py; LSP: README of the data set
    "crowdpose14": {"left_shoulder": 0, "right_wrist": 5, "right_ankle": 11, "head_top": 12, "upper_neck": 13},
    "aic14": {"right_shoulder": 0, "left_wrist": 5, "right_ankle": 8, "left_ankle": 11, "head_top": 12},
    "lsp14": {"right_ankle": 0, "left_ankle": 5, "right_wrist": 6, "left_wrist": 11, "upper_neck": 12, "head_top": 13},
    "mpii16": {"right_ankle": 0, "pelvis": 6, "thorax": 7, "head_top": 9, "right_wrist": 10, "left_wrist": 15},
    # ours: a body, then its hands
    "wholebody65": {"right_heel": 22, "left_hand_wrist": 23, "right_hand_wrist": 44, "right_hand_pinky4": 64},
    "halpe68": {"right_heel": 25, "left_hand_wrist": 26, "right_hand_wrist": 47},
    "openpose60": {"left_ear": 17, "left_hand_wrist": 18, "right_hand_wrist": 39},
    "openpose67": {"right_heel": 24, "left_hand_wrist": 25, "right_hand_wrist": 46},
    "mediapipe75": {"right_foot_index": 32, "left_hand_wrist": 33, "right_hand_wrist": 54},
    # ours: COCO's body, then the hands as COCO-WholeBody orders them
    "body_hands59": {"right_ankle": 16, "left_hand_wrist": 17, "left_hand_pinky4": 37, "right_hand_wrist": 38},
    "body32": {"nose": 0, "right_ankle": 16, "pelvis": 17, "neck": 18, "head_top": 19, "right_thumb": 31},
    "union48": {"nose": 0, "right_ankle": 16, "pelvis": 17, "right_thumb": 31, "spine1": 35, "upper_neck": 47},
    "hand21": {"wrist": 0, "thumb4": 4, "index1": 5, "middle4": 12, "ring1": 13, "pinky4": 20},
}

# The mirror pairs that Pose2Mesh and smplx users know by heart.
PUBLISHED_FLIPS = {
    "coco17": [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)],
    "human36m17": [(1, 4), (2, 5), (3, 6), (11, 14), (12, 15), (13, 16)],
    "smpl24": [(1, 2), (4, 5), (7, 8), (10, 11), (13, 14), (16, 17), (18, 19), (20, 21), (22, 23)],
    "openpose18": [(2, 5), (3, 6), (4, 7), (8, 11), (9, 12), (10, 13), (14, 15), (16, 17)],
    "hand21": [],
}

# AlphaPose joins Halpe's face to nothing else; everywhere else all joints hang together.
FACE = {"nose", "left_eye", "right_eye", "left_ear", "right_ear"}


def test_every_set_is_checked():
    assert PUBLISHED.keys() == set(SETS)


@pytest.mark.parametrize("name", SETS)
def test_order_is_the_published_one(name):
    skeleton = joint_set(name)
    assert {joint: skeleton.index(joint) for joint in PUBLISHED[name]} == PUBLISHED[name]
    assert len(skeleton) == int("".join(filter(str.isdigit, name))[-2:])


@pytest.mark.parametrize("name", sorted(PUBLISHED_FLIPS))
def test_flip_pairs_are_the_published_ones(name):
    assert list(joint_set(name).flip_pairs) == PUBLISHED_FLIPS[name]


@pytest.mark.parametrize("name", SETS)
def test_names_are_unique_and_flipping_twice_changes_nothing(name):
    skeleton = joint_set(name)
    assert len(set(skeleton.joints)) == len(skeleton)
    flip = skeleton.flip_permutation
    assert [flip[i] for i in flip] == list(range(len(skeleton)))
    assert all(mirror_name(mirror_name(joint)) == joint for joint in skeleton.joints)


@pytest.mark.parametrize("name", SETS)
def test_bones_are_symmetric_and_without_repeats(name):
    skeleton = joint_set(name)
    bones = {frozenset(bone) for bone in skeleton.bones}
    assert len(bones) == len(skeleton.bones)
    assert all(len(bone) == 2 and bone <= set(skeleton.joints) for bone in bones)
    assert {frozenset(map(mirror_name, bone)) for bone in bones} == bones
    assert all((skeleton.joints[a], skeleton.joints[b]) in skeleton.bones for a, b in skeleton.bone_indices)


@pytest.mark.parametrize("name", [n for n in SETS if joint_set(n).root])
def test_sets_with_a_root_reach_every_joint_from_it(name):
    skeleton = joint_set(name)
    reached, edges = {skeleton.root}, [set(bone) for bone in skeleton.bones]
    while grown := {joint for edge in edges if edge & reached for joint in edge} - reached:
        reached |= grown
    assert set(skeleton.joints) - reached == (FACE if name in ("halpe26", "halpe68") else set())


def test_names_are_found_by_alias_and_in_any_case():
    assert joint_set("H36M") is joint_set("human36m17")
    assert joint_set("COCO") is joint_set("coco17")


def test_an_unknown_set_names_the_known_ones():
    with pytest.raises(InputError, match=r"'coco99'.*coco17.*smpl24"):
        joint_set("coco99")
