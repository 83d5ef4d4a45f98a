"""BVH files written here with known rotations, and the raw recordings against the packs made from them."""

from pathlib import Path

import numpy as np
import pytest
from recorded_figure import NAMES, SKELETON, smooth_angles, world_rotations, write_bvh
from scipy.spatial.transform import Rotation

from pose2mesh import paths
from pose2mesh.datasets.motion import load_motion
from pose2mesh.datasets.motion_pack import BONES, MotionClip, MotionPack
from pose2mesh.datasets.recordings import load_recordings, read_clips
from pose2mesh.datasets.retarget import rest_direction
from pose2mesh.errors import FormatError, MissingFileError

pytest.importorskip("pybvh", reason="pybvh is not installed; pip install 'pose2mesh[bvh]'")


def read_bvh(path: Path) -> MotionClip:
    (clip,) = read_clips(path)
    return clip


TO_ANNY = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])  # y up, facing +z -> z up, facing -y
LIMBS = {"upperarm01": ("Arm", "ForeArm"), "lowerarm01": ("ForeArm", "Hand")}
LIMBS |= {"upperleg01": ("UpLeg", "Leg"), "lowerleg01": ("Leg", "Foot")}
MIXAMO = {name: f"mixamorig:{name}" for name in NAMES}
DAZ = {"Hips": "hip", "Spine": "abdomen", "Spine1": "chest", "Neck": "neck", "Head": "head"}
DAZ |= {f"{s}{a}": f"{s[0].lower()}{b}" for s in ("Left", "Right") for a, b in
        (("Shoulder", "Collar"), ("Arm", "Shldr"), ("ForeArm", "ForeArm"), ("Hand", "Hand"),
         ("UpLeg", "Thigh"), ("Leg", "Shin"), ("Foot", "Foot"))}  # fmt: skip
LAFAN = {"Spine1": "Chest", **{f"{s}Arm": f"UpperArm_{s[0]}" for s in ("Left", "Right")}}
BIPED = {f"{s}{a}": f"{s}{b}" for s in ("Left", "Right") for a, b in
         (("Shoulder", "Collar"), ("Arm", "Shoulder"), ("ForeArm", "Elbow"), ("Hand", "Wrist"),
          ("UpLeg", "Hip"), ("Leg", "Knee"), ("Foot", "Ankle"))}  # fmt: skip


def matrices(clip: MotionClip) -> np.ndarray:
    return Rotation.from_rotvec(clip.rotvec.reshape(-1, 3)).as_matrix().reshape(-1, 19, 3, 3)


@pytest.mark.parametrize("order", ["ZXY", "XYZ", "YZX"])
def test_anny_limbs_point_where_the_recorded_bones_point(tmp_path: Path, order: str) -> None:
    angles = smooth_angles()
    clip = read_bvh(write_bvh(tmp_path / "a.bvh", angles, order=order))
    posed, world = matrices(clip), world_rotations(angles, order)
    assert clip.frame_120.tolist() == list(range(6, 60, 4))
    for side, prefix in (("L", "Left"), ("R", "Right")):
        for bone, (start, end) in LIMBS.items():
            offset = dict((name, o) for name, _, o in SKELETON)[prefix + end]
            recorded = world[prefix + start].apply(offset)[clip.frame_120] @ TO_ANNY.T  # [N, 3]
            expected = recorded / np.linalg.norm(offset)
            found = posed[:, BONES.index(f"{bone}.{side}")] @ rest_direction(f"{bone}.{side}")
            np.testing.assert_allclose(found, expected, atol=1e-4)  # the table has 4 digits


def test_trunk_head_and_feet_turn_as_recorded(tmp_path: Path) -> None:
    angles = smooth_angles(seed=1)
    clip = read_bvh(write_bvh(tmp_path / "a.bvh", angles))
    joints = {"root": "Hips", "spine03": "Spine", "spine01": "Spine1", "neck01": "Neck", "head": "Head"}
    joints |= {"foot.L": "LeftFoot", "foot.R": "RightFoot", "clavicle.R": "RightShoulder"}
    world = world_rotations(angles)
    for bone, joint in joints.items():
        turned = world[joint].as_rotvec()[clip.frame_120] @ TO_ANNY.T  # an axis turns like any vector
        np.testing.assert_allclose(clip.rotvec[:, BONES.index(bone)], turned, atol=1e-5)


@pytest.mark.parametrize("rename", [MIXAMO, LAFAN, BIPED], ids=["mixamo", "mixed", "biped"])
def test_joint_names_do_not_change_the_motion(tmp_path: Path, rename: dict[str, str]) -> None:
    plain = read_bvh(write_bvh(tmp_path / "a.bvh", smooth_angles()))
    renamed = read_bvh(write_bvh(tmp_path / "b.bvh", smooth_angles(), rename=rename))
    np.testing.assert_allclose(renamed.rotvec, plain.rotvec, atol=1e-6)


def test_limbs_of_daz_files_are_straight_though_their_offsets_bend(tmp_path: Path) -> None:
    skeleton = [(n, p, (o[0], o[1], 9.0) if n.endswith(("Hand", "Foot")) else o) for n, p, o in SKELETON]
    path = write_bvh(tmp_path / "a.bvh", np.zeros((20, len(SKELETON), 3)), skeleton=skeleton, rename=DAZ)
    posed = matrices(read_bvh(path))[0]
    for side, sign in (("L", 1), ("R", -1)):
        for bone in ("upperarm01", "lowerarm01", "wrist", "upperleg01", "lowerleg01"):
            angle = np.radians(-91.0 if "leg" in bone else -8.0)
            expected = [sign * np.cos(angle), 0.0, np.sin(angle)]
            found = posed[BONES.index(f"{bone}.{side}")] @ rest_direction(f"{bone}.{side}")
            np.testing.assert_allclose(found, expected, atol=1e-4)


def test_axes_of_the_file_do_not_change_the_motion(tmp_path: Path) -> None:
    plain = read_bvh(write_bvh(tmp_path / "a.bvh", smooth_angles()))
    turn = Rotation.from_euler("xz", [90, 180], degrees=True)  # z up, facing the other way
    skeleton = [(name, parent, turn.apply(offset)) for name, parent, offset in SKELETON]
    local = Rotation.from_euler("ZXY", smooth_angles().reshape(-1, 3), degrees=True)
    angles = (turn * local * turn.inv()).as_euler("ZXY", degrees=True).reshape(60, -1, 3)
    turned = read_bvh(write_bvh(tmp_path / "b.bvh", angles, skeleton=skeleton))
    np.testing.assert_allclose(turned.rotvec, plain.rotvec, atol=1e-5)


def test_t_pose_in_the_first_frame_replaces_a_zero_pose_that_is_none(tmp_path: Path) -> None:
    angles = smooth_angles()
    angles[0] = 0.0
    plain = read_bvh(write_bvh(tmp_path / "a.bvh", angles))
    rest = Rotation.random(len(SKELETON), rng=np.random.default_rng(3))  # world rotations of the T-pose
    row = {name: joint for joint, name in enumerate(NAMES)}
    skeleton, scrambled = [], np.empty_like(angles)
    for joint, (name, parent, offset) in enumerate(SKELETON):
        above = rest[row[parent]].inv() if parent else Rotation.identity()
        skeleton.append((name, parent, above.apply(offset)))
        local = above * Rotation.from_euler("ZXY", angles[:, joint], degrees=True) * rest[joint]
        scrambled[:, joint] = local.as_euler("ZXY", degrees=True)
    found = read_bvh(write_bvh(tmp_path / "b.bvh", scrambled, skeleton=skeleton))
    np.testing.assert_allclose(found.rotvec, plain.rotvec, atol=1e-5)
    with pytest.raises(FormatError, match="put a T-pose into the first frame"):
        read_bvh(write_bvh(tmp_path / "c.bvh", scrambled[30:], skeleton=skeleton))


@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0, 240.0])
def test_other_frame_rates_become_30_hz(tmp_path: Path, fps: float) -> None:
    seconds = np.arange(int(fps)) / fps
    angles = np.zeros((len(seconds), len(SKELETON), 3))
    angles[:, NAMES.index("Head"), 2] = 50 * seconds  # the head turns left at 50 degrees per second
    clip = read_bvh(write_bvh(tmp_path / "a.bvh", angles, fps=fps))
    assert set(np.diff(clip.frame_120)) == {4} and clip.frame_120[-1] / 120 > 0.9
    np.testing.assert_allclose(np.degrees(clip.rotvec[:, 4, 2]), 50 * clip.frame_120 / 120, atol=1e-3)


def test_tracking_flips_are_cut_out(tmp_path: Path) -> None:
    angles = np.zeros((200, len(SKELETON), 3))
    angles[100, NAMES.index("LeftLeg"), 1] = 20.0
    clip = read_bvh(write_bvh(tmp_path / "a.bvh", angles))
    assert clip.frame_120.tolist() == [f for f in range(6, 200, 4) if not 88 <= f <= 113]


def _cut(text: str, mark: str) -> str:
    return text[: text.index(mark)]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda text: text[:-40], id="truncated row"),
        pytest.param(lambda text: text[: text.rindex("\n0 90 0")], id="missing row"),
        pytest.param(lambda text: text[:300], id="truncated hierarchy"),
        pytest.param(lambda text: _cut(text, "MOTION"), id="no motion"),
        pytest.param(lambda text: _cut(text, "Frames:") + "Frames: 0\nFrame Time: 0.008333\n", id="zero frames"),
        pytest.param(lambda text: text.replace("0 90 0", "0 90 x", 1), id="not a number"),
        pytest.param(lambda text: text.replace("Frame Time: ", "Frame Time: -"), id="negative frame time"),
        pytest.param(lambda text: "", id="empty"),
        pytest.param(lambda text: "\0\x01PNG" * 50, id="foreign"),
    ],
)
def test_malformed_files_are_named_in_a_format_error(tmp_path: Path, damage) -> None:
    path = write_bvh(tmp_path / "broken.bvh", np.zeros((12, len(SKELETON), 3)))
    path.write_text(damage(path.read_text()))
    with pytest.raises(FormatError, match=r"broken\.bvh"):
        read_bvh(path)


def test_values_that_are_not_numbers_are_found(tmp_path: Path) -> None:
    angles = np.zeros((12, len(SKELETON), 3))
    angles[5, 3, 1] = np.nan
    with pytest.raises(FormatError, match="not finite"):
        read_bvh(write_bvh(tmp_path / "a.bvh", angles))


def test_unknown_skeletons_list_what_is_missing(tmp_path: Path) -> None:
    rename = {"LeftForeArm": "Tentacle"}
    path = write_bvh(tmp_path / "a.bvh", np.zeros((12, len(SKELETON), 3)), rename=rename)
    with pytest.raises(FormatError, match=r"for lowerarm01\.L among .*Tentacle"):
        read_bvh(path)


@pytest.mark.parametrize("name", ["neck_01", "Neck1", "Cervical"])
def test_a_neck_is_the_joint_over_the_arms_whatever_its_name(tmp_path: Path, name: str) -> None:
    clip = read_bvh(write_bvh(tmp_path / "a.bvh", smooth_angles(), rename={"Neck": name}))
    whole = read_bvh(write_bvh(tmp_path / "b.bvh", smooth_angles()))
    np.testing.assert_array_equal(clip.rotvec, whole.rotvec)


def test_a_head_without_a_neck_sits_on_the_chest(tmp_path: Path) -> None:
    skeleton = [(name, "Spine1" if name == "Head" else parent, offset) for name, parent, offset in SKELETON]
    skeleton = [joint for joint in skeleton if joint[0] != "Neck"]
    kept = [NAMES.index(name) for name, *_ in skeleton]
    clip = read_bvh(write_bvh(tmp_path / "a.bvh", smooth_angles()[:, kept], skeleton=skeleton))
    np.testing.assert_array_equal(clip.rotvec[:, BONES.index("neck01")], clip.rotvec[:, BONES.index("spine01")])


@pytest.mark.parametrize("toe", ["Toes", "Foot"])
def test_where_ankle_and_foot_are_joints_the_foot_is_the_toes(tmp_path: Path, toe: str) -> None:
    """As SMPL's and Kinect's skeletons have them, and knuckles beside wrists."""
    ends = [(f"{side}Foot", f"{side}Toes", (0, -5, 12)) for side in ("Left", "Right")]
    ends += [(f"{side}Hand", f"{side}Knuckles", (sign * 8, 0, 0)) for side, sign in (("Left", 1), ("Right", -1))]
    skeleton = [*SKELETON, *((name, parent, offset) for parent, name, offset in ends)]
    angles = np.concatenate([smooth_angles(), 20 * np.ones((60, len(ends), 3))], 1)
    rename = {name: name.replace("Foot", "Ankle").replace("Hand", "Wrist") for name in NAMES}
    rename |= {name: name.replace("Toes", toe).replace("Knuckles", "Hand") for _, name, _ in ends}
    found = read_bvh(write_bvh(tmp_path / "a.bvh", angles, skeleton=skeleton, rename=rename))
    expected = read_bvh(write_bvh(tmp_path / "b.bvh", smooth_angles()))
    np.testing.assert_allclose(found.rotvec, expected.rotvec, atol=1e-6)


def test_folder_becomes_a_pack(tmp_path: Path) -> None:
    (tmp_path / "dancer").mkdir()
    write_bvh(tmp_path / "dancer" / "waltz.bvh", smooth_angles(40))
    write_bvh(tmp_path / "07_12.bvh", smooth_angles(60))
    write_bvh(tmp_path / "too_short.bvh", smooth_angles(5))
    pack = load_motion(tmp_path)
    assert pack.clip_name == ("07_12", "waltz") and pack.clip_subject == ("07", "dancer")
    assert np.bincount(pack.clip_id).tolist() == [14, 9] and pack.fps == 30.0
    pack.save(tmp_path / "pack.npz")
    np.testing.assert_array_equal(MotionPack.load(tmp_path / "pack.npz").rotvec, pack.rotvec)


def test_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"no \.bvh"):
        load_recordings(tmp_path)
    write_bvh(tmp_path / "short.bvh", smooth_angles(5))
    with pytest.raises(FormatError, match="nothing is left"):
        load_recordings(tmp_path)


@pytest.mark.data
@pytest.mark.parametrize(
    ("sample", "pack", "clip", "degrees"),
    [
        # The first three packs were made from these very files (float16: 0.06 degrees); 13_11 from another
        # conversion of the recording; such pairs differ by 3 to 8 degrees, this one by 0.6 to 5.0.
        ("walk_07_12", "mocap_test_public", "07_12", 0.1),
        ("run_09_01", "mocap_train", "09_01", 0.1),
        ("dance_05_03_first300", "mocap_train", "05_03", 0.1),
        ("jump_13_11_first300", "mocap_train", "13_11", 6.0),
    ],
)
def test_raw_recordings_agree_with_the_packs(sample: str, pack: str, clip: str, degrees: float) -> None:
    folder = paths.data_dir()
    stored = load_motion(folder / f"{pack}.npz")
    rows = np.flatnonzero(stored.clip_id == stored.clip_name.index(clip))
    read = read_bvh(folder / "bvh_samples" / f"{sample}.bvh")
    rows = rows[stored.frame_120[rows] <= read.frame_120[-1]]
    np.testing.assert_array_equal(read.frame_120, stored.frame_120[rows])
    difference = Rotation.from_rotvec(read.rotvec.reshape(-1, 3)).inv()
    difference *= Rotation.from_rotvec(stored.rotvec[rows].reshape(-1, 3))
    per_bone = np.degrees(difference.magnitude()).reshape(-1, 19).mean(axis=0)
    assert per_bone.max() < degrees, dict(zip(BONES, per_bone.round(2), strict=True))
