"""Joints by name in any order and spelling, and by number where nothing names them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose2mesh import plugins
from pose2mesh.detectors.readers.naming import by_name, by_number
from pose2mesh.errors import InputError
from pose2mesh.skeletons import JointSet, joint_set

# Names as the tools write them, in their order.
AP10K = (
    *("L_Eye", "R_Eye", "Nose", "Neck", "Root of tail", "L_Shoulder", "L_Elbow", "L_F_Paw", "R_Shoulder"),
    *("R_Elbow", "R_F_Paw", "L_Hip", "L_Knee", "L_B_Paw", "R_Hip", "R_Knee", "R_B_Paw"),
)
H36M_OF_MMPOSE = (
    *("root", "right_hip", "right_knee", "right_foot", "left_hip", "left_knee", "left_foot", "spine", "thorax"),
    *("neck_base", "head", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist"),
)
HALPE_OF_MMPOSE = (*joint_set("coco17").joints, "head", "neck", "hip", *joint_set("halpe26").joints[20:])


def rows(count: int) -> np.ndarray:
    """A person [1, J, 3] whose x is the row."""
    return np.stack([np.arange(count), np.full(count, 5), np.ones(count)], axis=-1)[None].astype(float)


@pytest.mark.parametrize("name", ["coco17", "openpose25", "halpe26", "mediapipe33", "wholebody65", "mpii16", "hand21"])
@given(st.randoms(use_true_random=False))
def test_names_in_any_order_come_back_in_ours(name, random):
    joints = list(joint_set(name).joints)
    random.shuffle(joints)
    values, found = by_name(rows(len(joints)), tuple(joints), "x")
    assert found.name == name
    assert [joints[int(x)] for x in values[0, :, 0]] == list(found.joints)


@pytest.mark.parametrize(
    ("names", "expected"), [(H36M_OF_MMPOSE, "human36m17"), (HALPE_OF_MMPOSE, "halpe26")], ids=["h36m", "halpe26"]
)
def test_words_of_mmpose(names, expected):
    values, found = by_name(rows(len(names)), names, "x")
    assert found.name == expected
    np.testing.assert_array_equal(values[0, :, 0], np.arange(len(names)))  # MMPose's order is ours


def test_whole_bodies_of_mmpose_lose_the_face_and_keep_the_hands():
    fingers = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
    names = [*joint_set("coco23").joints, *(f"face-{i}" for i in range(68))]
    for side in ("left", "right"):
        names += [f"{side}_hand_root", *(f"{side}_{finger}{k}" for finger in fingers for k in range(1, 5))]
    values, found = by_name(rows(133), tuple(names), "x")
    by_count, same = by_number(rows(133), None, "x")
    assert found is same and found.name == "wholebody65"
    np.testing.assert_array_equal(values, by_count)


@pytest.mark.parametrize("spell", [str.upper, str.title, lambda n: n.replace("_", " "), lambda n: n.replace("_", "-")])
def test_spelling_does_not_matter(spell):
    names = tuple(spell(joint) for joint in joint_set("coco17").joints)
    assert by_name(rows(17), names, "x")[1].name == "coco17"


def test_sides_in_short_and_in_camel_case():
    assert by_name(rows(2), ("l_knee", "R_Knee"), "x")[0][0, :, 0].max() == 1
    values, found = by_name(rows(3), ("leftShoulder", "rightHip", "nose"), "x")
    assert [int(values[0, found.index(j), 0]) for j in ("left_shoulder", "right_hip", "nose")] == [0, 1, 2]
    assert values[0, :, 2].sum() == 3  # the others are missing


def test_without_a_third_column_joints_without_a_name_are_missing_all_the_same():
    values, found = by_name(rows(3)[..., :2], ("left_shoulder", "right_hip", "nose"), "x")
    assert values.shape == (1, len(found), 3) and values[0, :, 2].sum() == 3


def test_animals_are_no_people():
    with pytest.raises(InputError, match=r"'Root of tail' names no joint of a person"):
        by_name(rows(17), AP10K, "x")
    with pytest.raises(InputError, match="twice"):
        by_name(rows(2), ("nose", "nose"), "x")
    with pytest.raises(InputError, match="16 names for 17 joints"):
        by_name(rows(17), AP10K[:16], "x")


def test_sapiens_308_points():
    """Indices as facebookresearch/sapiens names them in pose/configs/_base_/datasets/goliath.py."""
    published = {
        **{"nose": 0, "left_shoulder": 5, "right_elbow": 8, "left_wrist": 62, "right_wrist": 41, "left_hip": 9},
        **{"right_ankle": 14, "left_big_toe": 15, "left_heel": 17, "right_heel": 20},
        **{"left_hand_wrist": 62, "left_hand_thumb4": 42, "left_hand_thumb1": 45, "left_hand_index1": 49},
        **{"left_hand_pinky1": 61, "right_hand_wrist": 41, "right_hand_index1": 28, "right_hand_pinky4": 37},
    }
    values, found = by_number(rows(308), None, "x")
    assert found.name == "wholebody65"
    assert {joint: values[0, found.index(joint), 0] for joint in published} == published
    assert len(set(values[0, :, 0])) == 63  # the wrists stand twice


def test_fourteen_joints_need_a_word():
    with pytest.raises(InputError, match=r"14 joints may be crowdpose14, aic14, lsp14; say which by --joint-set"):
        by_number(rows(14), None, "x")
    assert by_number(rows(14), "lsp", "x")[1].name == "lsp14"
    assert by_number(rows(16), None, "x")[1].name == "mpii16"


def test_numbers_that_name_a_set_and_those_that_do_not():
    assert by_number(rows(48), None, "here")[1].name == "union48"
    with pytest.raises(InputError, match=r"32 joints .* 48 \(union48\), .* named by --joint-set \(in the library"):
        by_number(rows(32), None, "here")  # Human3.6M's own 32 are others than those of body32
    assert by_number(rows(32), "body32", "here")[1].name == "body32"


def test_whole_bodies_are_what_the_caller_says_or_refused(monkeypatch):
    """133 joints may be a set of somebody's own; of the known whole bodies only a part may be asked for."""
    mine = JointSet("mine133", tuple(f"j{i}" for i in range(133)), ())
    monkeypatch.setitem(plugins._registered["joint_set"], "mine133", mine)
    assert by_number(rows(133), "mine133", "a.npz")[1] is mine
    monkeypatch.delitem(plugins._loaded, ("joint_set", "mine133"))
    assert by_number(rows(133), "coco17", "a.npz")[1].name == "wholebody65"
    assert by_number(rows(136), "halpe26", "a.npz")[1].name == "halpe68"
    for name in ("human36m17", "smpl24", "openpose25"):
        with pytest.raises(InputError, match=f"133 joints are a whole body, which does not hold all of {name}"):
            by_number(rows(133), name, "a.npz")


def test_a_neck_is_between_the_shoulders_unless_all_fourteen_joints_say_otherwise():
    parts = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    limbs = [f"{side}_{part}" for side in ("left", "right") for part in parts]
    assert "neck" in by_name(rows(13), ("neck", *limbs), "a.npz")[1].joints
    whole = by_name(rows(14), ("head", "neck", *limbs), "a.npz")[1]
    assert "upper_neck" in whole.joints and len(whole) == 14
