"""motion.npz: what is written comes back, what is malformed is refused by the name of the field."""

from dataclasses import replace

import numpy as np
import pytest
import smplx
import torch
from scipy.sparse import csc_matrix
from scipy.spatial.transform import Rotation
from smplx.utils import Struct
from synthetic_models import arrays, write_pickle

from pose2mesh.body_models import load_anny_body
from pose2mesh.body_models.licensed_files import SMPL
from pose2mesh.errors import FormatError, InputError
from pose2mesh.exporters import load_motion_file
from pose2mesh.exporters.motion import MOTION_SUFFIXES
from pose2mesh.synthesis.walk import walking
from pose2mesh.tracking.bodies import MotionBodies
from pose2mesh.types import Motion


@pytest.fixture(scope="module")
def motion():
    return walking(load_anny_body(), 0.5)


def test_round_trip(motion, tmp_path):
    read = load_motion_file(motion.save(tmp_path / "motion.npz"))
    for name, value in vars(motion).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(read, name), value)
        elif name != "camera":
            assert getattr(read, name) == value
    assert (read.camera.focal, read.camera.center, read.camera.image_size) == (700.0, (320.0, 240.0), (640, 480))
    bare = replace(motion, camera=None, world_from_camera=None, contacts=None)
    assert load_motion_file(bare.save(tmp_path / "bare.npz")).contacts is None


def test_the_world_stands_beside_the_camera(motion, tmp_path):
    motion.save(tmp_path / "motion.npz")
    with np.load(tmp_path / "motion.npz") as arrays:
        ankles = [motion.joint_names.index(f"{side}_ankle") for side in ("left", "right")]
        heights = arrays["world_joints"][:, ankles, 1]
        camera = arrays["joints"] + arrays["translation"][:, None]
        np.testing.assert_allclose(arrays["world_joints"][..., 1], 1.2 - camera[..., 1], atol=1e-5)
    standing = heights[motion.contacts]
    assert standing.min() > 0.05 and standing.max() < 0.15  # ankles are some ten centimetres above the ground


def test_people_are_picked_by_track(motion):
    assert motion.tracks == (1,)
    assert len(motion.only(1)) == len(motion) == 15 and len(motion.only(2)) == 0


def test_a_person_cut_out_of_a_motion_lasts_as_long_as_it(motion, tmp_path):
    half = replace(motion.select(motion.frame > 7), span=(float(motion.time[0]), float(motion.time[-1])))
    assert load_motion_file(half.save(tmp_path / "half.npz")).span == half.span
    assert load_motion_file(motion.save(tmp_path / "all.npz")).span is None


@pytest.mark.parametrize("suffix", MOTION_SUFFIXES)
def test_whole_numbers_are_taken(motion, suffix, tmp_path):
    """Such as `fps=25`: files are the same as of 25.0."""
    few, seconds = motion.only(1).select(np.arange(3)), np.arange(3)
    whole = replace(few, fps=25, time=seconds, span=(0, 2), camera=replace(few.camera, focal=700))
    fractions = replace(whole, fps=25.0, time=seconds.astype(float), span=(0.0, 2.0))
    first, second = (each.save(tmp_path / f"{i}{suffix}") for i, each in enumerate((whole, fractions)))
    assert first.read_bytes() == second.read_bytes()


def test_messages_name_the_numbers_that_are_expected(motion, tmp_path):
    with pytest.raises(InputError, match=r"motion\.fps is <U2 \[\]; expected numbers \[\]"):
        replace(motion, fps="25").save(tmp_path / "motion.npz")
    with pytest.raises(InputError, match=r"motion\.betas is int64 .*; expected floating-point numbers \[N, S\]"):
        replace(motion, betas=motion.betas.astype(int)).save(tmp_path / "motion.npz")


WRONG = {
    "joints": lambda m: {"joints": m.joints[:-1]},
    "rotations": lambda m: {"rotations": m.rotations * 2},
    "translation": lambda m: {"translation": m.translation * np.nan},
    "time": lambda m: {"time": np.zeros(len(m))},
    "order": lambda m: {"frame": m.frame[::-1].copy(), "time": m.time[::-1].copy()},
    "fps": lambda m: {"fps": 0.0},
    "rotations holds": lambda m: {"rotations": -m.rotations},
    "rotations are of 18 bones": lambda m: {"rotations": m.rotations[:, 1:], "bone_names": m.bone_names[1:]},
    "betas has 15": lambda m: {"betas": m.betas[:, 1:]},
    "betas holds values beyond": lambda m: {"betas": m.betas + np.float32(1e30)},
    "bone_names are not": lambda m: {"bone_names": m.bone_names[::-1]},
    "world_from_camera is no": lambda m: {"world_from_camera": np.zeros((4, 4))},
    "time holds": lambda m: {"time": m.time + 1e300},
    "time goes from": lambda m: {"time": m.time * 1e9},
    "frame holds": lambda m: {"frame": m.frame - 10**12},
    "span goes from 2 to -1 s": lambda m: {"span": (2.0, -1.0)},
    "camera has": lambda m: {"camera": replace(m.camera, focal=0.0)},
    "no rows": lambda m: vars(m.only(9)),
    "world_from_camera": lambda m: {"world_from_camera": np.eye(3)},
}


@pytest.mark.parametrize("name", WRONG)
def test_malformed_motions_are_refused(motion, name, tmp_path):
    with pytest.raises(InputError, match=name):
        replace(motion, **WRONG[name](motion)).save(tmp_path / "motion.npz")
    assert not list(tmp_path.iterdir())


def test_other_suffixes_and_bodies(motion, tmp_path):
    with pytest.raises(InputError, match=r"\.fbx"):
        motion.save(tmp_path / "walk.fbx")
    with pytest.raises(InputError, match="smpl-neutral"):
        replace(motion, body="smpl-neutral").save(tmp_path / "walk.glb")


def test_damaged_files(motion, tmp_path):
    path = motion.save(tmp_path / "motion.npz")
    arrays = dict(np.load(path))
    arrays["betas"] = arrays["betas"][1:]
    np.savez(tmp_path / "cut.npz", **arrays)
    with pytest.raises(FormatError, match="betas"):
        load_motion_file(tmp_path / "cut.npz")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("camera_focal", np.array("long"), "camera_focal is <U4"),
        ("camera_center", None, "no camera_center"),
        ("camera_image_size", np.zeros(3, int), "camera_image_size"),
        ("fps", np.array("fast"), "fps is <U4"),
        ("fps", np.ones(2), "fps is float64"),
        ("span", np.ones(3), "span"),
        ("body", np.array("nobody"), "nobody"),
    ],
)
def test_foreign_values_in_files(motion, tmp_path, name, value, message):
    values = dict(np.load(motion.save(tmp_path / "motion.npz")))
    kept = {key: array for key, array in values.items() if key != name} | ({} if value is None else {name: value})
    np.savez(tmp_path / "other.npz", **kept)
    with pytest.raises(FormatError, match=message):
        load_motion_file(tmp_path / "other.npz")


def test_smpl_parameters_are_saved_as_in_amass(motion, tmp_path, monkeypatch):
    """SMPL's own layer puts the body of `poses`, `betas` and `trans` where the motion has it."""
    entries = arrays(SMPL)
    regressor = entries["J_regressor"]
    entries["J_regressor"] = csc_matrix(regressor / regressor.sum(1).reshape(-1, 1))  # of points that move along
    write_pickle(tmp_path / "smpl" / "SMPL_NEUTRAL.pkl", entries)
    monkeypatch.setenv("POSE2MESH_MODELS", str(tmp_path))
    rotvec = np.random.default_rng(0).normal(size=(len(motion), 24, 3)) * 0.3
    rotations = Rotation.from_rotvec(rotvec.reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
    rotations[:, 0] = np.diag([1.0, -1, -1]) @ rotations[:, 0]
    betas = np.tile(np.linspace(-1, 1, 10, dtype=np.float32), (len(motion), 1))
    fields = {"body": "smpl-neutral", "rotations": rotations, "betas": betas, "bone_names": tuple(map(str, range(24)))}
    smpl: Motion = replace(motion, **fields)
    with np.load(smpl.save(tmp_path / "smpl.npz")) as file:
        np.testing.assert_allclose(file["poses"], rotvec.reshape(len(motion), 72), atol=1e-6)
        assert file["mocap_framerate"] == 30
        poses, shape, trans = (torch.tensor(file[name]).float() for name in ("poses", "betas", "trans"))
    layer = smplx.SMPL("", data_struct=Struct(**entries), batch_size=len(motion))
    posed = layer(betas=shape, global_orient=poses[:, :3], body_pose=poses[:, 3:], transl=trans).vertices
    expected = (MotionBodies(smpl).vertices(slice(None)) + smpl.translation[:, None]) * [1, -1, -1]
    np.testing.assert_allclose(posed.detach().numpy(), expected, atol=1e-4)


def test_smpl_motions_are_saved_without_its_file(motion, tmp_path, monkeypatch):
    monkeypatch.setenv("POSE2MESH_CACHE", str(tmp_path))
    monkeypatch.delenv("POSE2MESH_MODELS", raising=False)
    rotations, bones = np.tile(np.eye(3), (len(motion), 24, 1, 1)), tuple(map(str, range(24)))
    smpl = replace(motion, body="smpl-neutral", rotations=rotations, bone_names=bones)
    with np.load(smpl.save(tmp_path / "smpl.npz")) as file:
        assert "rotations" in file and "trans" not in file
