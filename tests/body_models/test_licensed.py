import numpy as np
import pytest
import smplx
import torch
from scipy.spatial.transform import Rotation
from smplx.utils import Struct
from synthetic_models import arrays, write_pickle, write_with_chumpy

from pose2mesh.body_models import load_body_model
from pose2mesh.body_models.licensed import mirrored_shapes
from pose2mesh.body_models.licensed_files import MANO, SMPL
from pose2mesh.errors import InputError, MissingFileError


@pytest.fixture(autouse=True)
def no_models_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSE2MESH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("POSE2MESH_MODELS", raising=False)


@pytest.fixture(scope="module")
def smpl(tmp_path_factory):
    entries = arrays(SMPL)
    folder = tmp_path_factory.mktemp("models")
    write_with_chumpy(folder / "smpl" / "SMPL_NEUTRAL.pkl", entries)
    return entries, folder


def random_pose(joints: int, batch: int = 2) -> torch.Tensor:
    rotations = Rotation.random(batch * joints, rng=np.random.default_rng(1)).as_matrix()
    return torch.tensor(rotations, dtype=torch.float32).view(batch, joints, 3, 3)


def test_smpl_through_stand_in_chumpy_objects_equals_smplx(smpl):
    entries, folder = smpl
    body = load_body_model("smpl-neutral", folder)
    reference = smplx.SMPLLayer("", data_struct=Struct(**entries))
    betas, pose = torch.randn(2, 10), random_pose(24)
    expected = reference(betas=betas, global_orient=pose[:, :1], body_pose=pose[:, 1:])
    output = body(betas, pose)
    torch.testing.assert_close(output.vertices, expected.vertices, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(output.joints, expected.joints[:, :24], rtol=1e-5, atol=1e-5)
    assert body.num_shape == 10 and body.v_template.shape == (6890, 3)
    np.testing.assert_array_equal(body.faces, entries["f"])


def test_mano_equals_smplx_with_a_flat_hand(tmp_path):
    entries = arrays(MANO)
    body = load_body_model("mano-right", write_pickle(tmp_path / "MANO_RIGHT.pkl", entries))
    reference = smplx.MANO("", data_struct=Struct(**entries), use_pca=False, flat_hand_mean=True)
    betas, pose = torch.randn(2, 10), random_pose(16)
    vectors = torch.tensor(Rotation.from_matrix(pose.reshape(-1, 3, 3)).as_rotvec()).float().view(2, 48)
    expected = reference(betas=betas, global_orient=vectors[:, :3], hand_pose=vectors[:, 3:])
    output = body(betas, pose)
    torch.testing.assert_close(output.vertices, expected.vertices, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(output.joints, expected.joints, rtol=1e-4, atol=1e-4)


def test_pose_blend_shapes_are_applied(tmp_path):
    """One joint turned, no skinning weight on it: only the pose blend shapes move vertices."""
    entries = arrays(MANO)
    entries["weights"] = np.eye(1, 16).repeat(778, 0)
    body = load_body_model("mano-right", write_pickle(tmp_path / "MANO_RIGHT.pkl", entries))
    pose = torch.eye(3).repeat(1, 16, 1, 1)
    turn = random_pose(1, 1)[0, 0]
    pose[0, 5] = turn
    moved = body(torch.zeros(1, 10), pose).vertices[0].numpy() - entries["v_template"]
    expected = entries["posedirs"][..., 36:45] @ (turn.numpy() - np.eye(3)).ravel()
    np.testing.assert_allclose(moved, expected, atol=1e-5)


def test_left_hand_with_the_wrong_sign_is_mended(tmp_path):
    right = arrays(MANO)
    mirror = np.array([-1.0, 1, 1])[:, None]
    left = {**right, "shapedirs": right["shapedirs"] * mirror, "v_template": right["v_template"] * mirror.T}
    write_pickle(tmp_path / "mano" / "MANO_RIGHT.pkl", right)
    for is_wrong, sign in ((False, 1.0), (True, -1.0)):
        file = {**left, "shapedirs": left["shapedirs"] * np.array([sign, 1, 1])[:, None]}
        write_pickle(tmp_path / "mano" / "MANO_LEFT.pkl", file)
        body = load_body_model("mano-left", tmp_path)
        np.testing.assert_allclose(body.shapedirs, left["shapedirs"], atol=1e-6)
        assert (mirrored_shapes(file["shapedirs"], right["shapedirs"]) is file["shapedirs"]) == (not is_wrong)


def test_the_left_hand_cannot_be_judged_alone(tmp_path):
    write_pickle(tmp_path / "MANO_LEFT.pkl", arrays(MANO))
    with pytest.raises(MissingFileError, match=r"mano-right not found.*mano\.is\.tue\.mpg\.de"):
        load_body_model("mano-left", tmp_path)


def test_joint_regressors(smpl):
    entries, folder = smpl
    body = load_body_model("smpl-neutral", folder)
    np.testing.assert_allclose(body.joint_regressor("smpl"), entries["J_regressor"].toarray(), rtol=1e-6)
    with pytest.raises(MissingFileError, match=r"J_regressor_coco\.npy"):
        body.joint_regressor("coco19")
    rng = np.random.default_rng(0)
    coco, human36 = rng.random((2, 17, 6890))
    np.save(folder / "smpl" / "J_regressor_coco.npy", coco)
    np.save(folder / "J_regressor_h36m_correct.npy", human36)
    folder_body = load_body_model("smpl-neutral", folder)
    np.testing.assert_array_equal(folder_body.joint_regressor("coco17"), coco)
    pelvis, neck = coco[[11, 12]].mean(0), coco[[5, 6]].mean(0)
    np.testing.assert_allclose(folder_body.joint_regressor("coco19"), [*coco, pelvis, neck])
    with pytest.raises(InputError, match="has no"):
        folder_body.joint_regressor("openpose25")


@pytest.mark.parametrize(("name", "middle"), [("mano-right", 444), ("mano-left", 445)])
def test_hand_joints_are_those_of_mano_and_fingertips(name, middle, tmp_path):
    entries = arrays(MANO)
    for side in ("RIGHT", "LEFT"):
        write_pickle(tmp_path / f"MANO_{side}.pkl", entries)
    rows = load_body_model(name, tmp_path).joint_regressor("hand21")
    mano = entries["J_regressor"].toarray()  # wrist, index, middle, pinky, ring, thumb
    order = [0, 13, 14, 15, None, 1, 2, 3, None, 4, 5, 6, None, 10, 11, 12, None, 7, 8, 9, None]
    tips = iter((745, 317, middle, 556, 673))
    for row, joint in zip(rows, order, strict=True):
        expected = np.eye(1, 778, next(tips))[0] if joint is None else mano[joint]
        np.testing.assert_allclose(row, expected, rtol=1e-6)
