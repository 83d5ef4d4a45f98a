"""Motion as BVH: read back by the package's own reader, by pybvh and by three.js."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from node_packages import run_node
from scipy.spatial.transform import Rotation, Slerp

from pose2mesh.body_models import load_anny_body
from pose2mesh.datasets.recordings import read_clips
from pose2mesh.datasets.retarget import rest_direction, smallest_rotation
from pose2mesh.errors import InputError
from pose2mesh.exporters.bvh import NAMES
from pose2mesh.exporters.character import characters
from pose2mesh.skeletons import MOTION_BONES
from pose2mesh.synthesis.walk import walking

pybvh = pytest.importorskip("pybvh", reason="pybvh is not installed; pip install 'pose2mesh[bvh]'")

HERE = Path(__file__).parent
BODY = load_anny_body()
LIMBS = ("upperarm01", "lowerarm01", "wrist", "upperleg01", "lowerleg01")
TO_ANNY = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # y up, facing +z, to z up, facing -y


@pytest.fixture(scope="module")
def motion():
    return walking(BODY, 1.5)


@pytest.fixture(scope="module")
def path(motion, tmp_path_factory):
    return motion.save(tmp_path_factory.mktemp("bvh") / "walk.bvh")


def test_our_own_reader_gives_the_rotations_back(motion, path):
    """The reader counts limbs from the rest pose of the packs' body, which differs a little: both from the T-pose."""
    (clip,) = read_clips(path)
    assert len(clip.rotvec) > 25
    world = motion.world_from_camera[:3, :3] @ motion.rotations  # [T, 19, 3, 3] y up
    ends = dict(zip(LIMBS, (*LIMBS[1:3], "finger3-1", "lowerleg01", "foot"), strict=True))
    for bone, name in enumerate(MOTION_BONES):
        turned = TO_ANNY @ world[:, bone] @ TO_ANNY.T
        stem, _, side = name.partition(".")
        if stem in LIMBS:
            start, end = (BODY.heads[BODY.bone_names.index(f"{b}.{side}"), :, 0].numpy() for b in (stem, ends[stem]))
            straight = np.array([0.0, 0, -1] if "leg" in stem else [1.0 if side == "L" else -1.0, 0, 0])  # in a T-pose
            against_t_pose = turned @ smallest_rotation(TO_ANNY @ (end - start), straight).T
            turned = against_t_pose @ smallest_rotation(rest_direction(name), straight)
        true = Slerp(motion.time, Rotation.from_matrix(turned))(clip.frame_120 / 120)
        read = Rotation.from_rotvec(clip.rotvec[:, bone])
        assert np.degrees((true.inv() * read).magnitude().max()) < 0.5, name


def true_places(motion) -> np.ndarray:
    """Of the bones that move [T, G, 3] in centimetres, by the body's own skinning."""
    with torch.inference_mode():
        betas, rotations = torch.from_numpy(motion.betas), torch.from_numpy(motion.rotations)
        output = BODY(betas, BODY.expand_pose(rotations))
    pelvis = np.einsum("v,tvi->ti", BODY.joint_regressor("coco19")[17], output.vertices.numpy())
    heads = output.joints.numpy()[:, [BODY.bone_names.index(name) for name in BODY.groups]]
    heads = (heads - pelvis[:, None] + motion.translation[:, None]) @ motion.world_from_camera[:3, :3].T
    return 100 * (heads + motion.world_from_camera[:3, 3])


def test_pybvh_finds_the_joints_in_centimetres(motion, path):
    bvh = pybvh.read_bvh_file(path, world_up="+y")
    assert bvh.frame_count == len(motion) and bvh.fps == pytest.approx(30.0)
    positions = bvh.node_positions()[:, [bvh.node_index[NAMES[name]] for name in BODY.groups]]  # [T, G, 3]
    assert np.abs(positions - true_places(motion)).max() < 0.05  # half a millimetre


def test_three_js_finds_the_joints_in_centimetres(motion, path):
    """A reader that has nothing in common with the writer."""
    for row in (0, 17, len(motion) - 2):  # at its end a clip begins again
        played = json.loads(run_node(HERE / "play_bvh.mjs", path, f"{row / motion.fps:.6f}"))
        found = np.array([played["places"][NAMES[name]] for name in BODY.groups])
        assert np.abs(found - true_places(motion)[row]).max() < 0.05, row


def test_zero_pose_is_a_t_pose(path):
    bvh = pybvh.read_bvh_file(path, world_up="+y")
    offsets = {node.name: node.offset / max(np.linalg.norm(node.offset), 1e-9) for node in bvh.nodes}
    for name, axis in {"LeftForeArm": 0, "LeftHand": 0, "RightHand": 0, "LeftLeg": 1, "RightFoot": 1}.items():
        assert abs(offsets[name][axis]) > 0.999, name


def test_gaps_and_uneven_times_become_even_frames(motion, tmp_path):
    seen = motion.select((motion.frame < 10) | (motion.frame > 20))
    bvh = pybvh.read_bvh_file(seen.save(tmp_path / "gap.bvh"), world_up="+y")
    assert bvh.frame_count == len(motion)
    whole = characters(motion)[0].root * 100
    np.testing.assert_allclose(bvh.root_pos[21:], whole[21:], atol=1e-3)
    between = np.stack([np.interp(range(10, 21), [9, 21], axis) for axis in whole[[9, 21]].T], -1)
    np.testing.assert_allclose(bvh.root_pos[10:21], between, atol=1e-3)


def test_all_files_of_a_motion_span_its_time(motion, tmp_path):
    """One who comes 10 frames late and leaves 5 early stands as first and as last seen; files of both are in step."""
    other = walking(BODY, 1.5, track=2)
    other = other.select((other.frame >= 10) & (other.frame < len(motion) - 5))
    names = ("frame", "time", "track", "joints", "translation", "rotations", "betas", "keypoints", "contacts")
    rows = {name: np.concatenate([getattr(motion, name), getattr(other, name)]) for name in names}
    order = np.lexsort((rows["track"], rows["frame"]))
    both = type(motion)(**{**vars(motion), **{name: rows[name][order] for name in names}})
    first, second = (
        pybvh.read_bvh_file(both.only(track).save(tmp_path / f"{track}.bvh"), world_up="+y") for track in (1, 2)
    )
    assert first.frame_count == second.frame_count == len(motion)
    seen = np.arange(len(motion)).clip(10, len(motion) - 6)
    np.testing.assert_allclose(second.root_pos, first.root_pos[seen], atol=1e-4)
    np.testing.assert_allclose(second.joint_angles, first.joint_angles[seen], atol=1e-2)
    own = both.only(2).select(slice(None))  # a stretch that somebody cuts out lasts as long as it is
    assert pybvh.read_bvh_file(own.save(tmp_path / "own.bvh"), world_up="+y").frame_count == len(other)


def test_a_pause_of_hours_is_not_filled(motion, tmp_path):
    late = motion.time + 1e5 * (motion.frame > 9)
    with pytest.raises(InputError, match=r"far\.bvh: 300.* frames, of 4\d .*apart"):
        type(motion)(**{**vars(motion), "time": late}).save(tmp_path / "far.bvh")


def test_several_people_are_refused(motion, tmp_path):
    both = motion.select(np.repeat(np.arange(len(motion)), 2))
    track = np.tile([1, 2], len(motion))
    with pytest.raises(InputError, match=r"one person.*1, 2"):
        type(motion)(**{**vars(both), "track": track}).save(tmp_path / "two.bvh")
