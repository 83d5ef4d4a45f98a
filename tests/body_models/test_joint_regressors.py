"""Joints from vertices: rows are means, every supported set is there, left is left."""

import numpy as np
import pytest

from pose2mesh.body_models import AnnyBody, load_anny_body
from pose2mesh.body_models.joint_regressors import compose_regressor
from pose2mesh.errors import InputError
from pose2mesh.skeletons import joint_set

SETS = ["coco17", "coco19", "human36m17", "smpl24", "openpose18", "openpose25", "halpe26", "body32"]


@pytest.fixture(scope="module")
def body() -> AnnyBody:
    return load_anny_body()


@pytest.mark.parametrize("name", SETS)
def test_rows_are_weighted_means(body: AnnyBody, name: str) -> None:
    regressor = body.joint_regressor(name)
    assert regressor.shape == (len(joint_set(name)), len(body.v_template))
    assert regressor.min() >= 0
    np.testing.assert_allclose(regressor.sum(1), 1, atol=1e-5)


def test_bone_heads_come_from_few_vertices(body: AnnyBody) -> None:
    regressor = body.J_regressor.numpy()
    assert regressor.min() >= 0 and (regressor > 0).sum(1).max() <= 16
    np.testing.assert_allclose(regressor.sum(1), 1, atol=1e-5)


@pytest.mark.parametrize("name", SETS)
def test_left_mirrors_right_at_rest(body: AnnyBody, name: str) -> None:
    joints = body.joint_regressor(name) @ body.v_template.numpy()  # [J, 3]
    mirrored = joints[list(joint_set(name).flip_permutation)] * [-1, 1, 1]
    assert np.abs(joints - mirrored).max() < 5e-4  # measured: 0.3 mm, from the fitted bone heads
    for i, joint in enumerate(joint_set(name).joints):
        assert not joint.startswith("left_") or joints[i, 0] > 0.005, joint


def test_joints_lie_where_their_names_say(body: AnnyBody) -> None:
    names = joint_set("halpe26").joints
    height = dict(zip(names, (body.joint_regressor("halpe26") @ body.v_template.numpy())[:, 1], strict=True))
    order = ["head_top", "left_eye", "nose", "neck", "left_elbow", "pelvis", "left_knee", "left_ankle", "left_heel"]
    assert sorted(order, key=height.__getitem__, reverse=True) == order


def test_derived_joints_are_means_and_absent_ones_an_error() -> None:
    rows = {"left_hip": np.array([1.0, 0, 0]), "right_hip": np.array([0, 1.0, 0])}
    others = {joint: np.array([0, 0, 1.0]) for joint in joint_set("coco17").joints}
    regressor = compose_regressor("coco19", {}, {**others, **rows})
    assert regressor[joint_set("coco19").index("pelvis")].tolist() == [0.5, 0.5, 0]
    with pytest.raises(InputError, match="the body has no 'nose', so joint set 'coco17'"):
        compose_regressor("coco17", {}, rows)
