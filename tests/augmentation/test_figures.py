import pytest
import torch

from pose2mesh.augmentation.figures import FIGURES, figure, figure_pool
from pose2mesh.augmentation.poses import clamp_to_limits, world_rotmats
from pose2mesh.body_models.anny import MOTION_BONES, load_anny_body
from pose2mesh.skeletons import joint_set


@pytest.fixture(scope="module")
def joints():
    """Name of a figure to its joints {name: [x, y, z]} in metres, SMPL axes."""
    body = load_anny_body()
    regressor = torch.as_tensor(body.joint_regressor("coco19"))
    pose = body.expand_pose(world_rotmats(figure_pool()))
    places = regressor @ body(torch.zeros(len(FIGURES), body.num_shape), pose).vertices
    names = joint_set("coco19").joints
    return {figure: dict(zip(names, row, strict=True)) for figure, row in zip(FIGURES, places, strict=True)}


def test_every_angle_belongs_to_a_bone_and_respects_its_limit():
    assert {bone for angles in FIGURES.values() for bone in angles} <= set(MOTION_BONES)
    torch.testing.assert_close(clamp_to_limits(figure_pool()), figure_pool())


def test_angles_are_degrees_against_the_parent():
    assert figure("stride")[MOTION_BONES.index("lowerleg01.R"), 0] == pytest.approx(torch.pi / 6)


def test_figures_do_what_they_are_called(joints):
    x, y, z = 0, 1, 2
    assert joints["greet"]["right_wrist"][y] > joints["greet"]["nose"][y]
    assert joints["greet"]["left_wrist"][y] < joints["greet"]["left_shoulder"][y]
    stride = joints["stride"]
    assert stride["left_ankle"][z] - stride["right_ankle"][z] > 0.4
    assert stride["right_wrist"][z] > stride["left_wrist"][z]  # arms swing against the legs
    stand, crouch = joints["stand"], joints["crouch"]
    height = {name: p["nose"][y] - p["left_ankle"][y] for name, p in joints.items()}
    assert height["crouch"] < 0.75 * height["stand"]
    assert abs(stand["left_ankle"][x] - stand["right_ankle"][x]) < 0.3
    assert abs(crouch["left_ankle"][z] - crouch["pelvis"][z]) < 0.25  # its feet are below it
