"""Bodies with hands, with networks that answer with meshes that are known."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from fake_network import FlatNetwork
from scipy.spatial.transform import Rotation

from pose2mesh.body_models import load_anny_body, load_hand_body
from pose2mesh.body_with_hands import BodyWithHands
from pose2mesh.cli.main import main
from pose2mesh.errors import InputError
from pose2mesh.exporters import load_people, save_people
from pose2mesh.geometry.procrustes import similarity_align
from pose2mesh.networks.prediction import MeshPrediction
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.skeletons import BODY_HANDS59, HAND21, hand_of_body, joint_set
from pose2mesh.types import Camera, Intrinsics

TO_CAMERA = np.array([1.0, -1.0, -1.0])  # body axes to camera axes
CAMERA = Camera(700.0, (300.0, 400.0), np.array([0.0, 0.0, 3.0]), (600, 800))
TURN = Rotation.from_rotvec(np.deg2rad([20, 60, 10]))


class Known:
    """A network that returns the same mesh for everybody."""

    def __init__(self, body, names: str, output: str, turn: Rotation | None = None) -> None:
        self.joint_set, self.output_joint_names = names, joint_set(output).joints
        self.faces = body.faces.numpy()
        vertices = body.v_template.numpy().astype(np.float64) * TO_CAMERA
        vertices = vertices if turn is None else turn.apply(vertices)
        joints = body.joint_regressor(output) @ vertices  # [J, 3]
        root = joints[self.output_joint_names.index("wrist" if output == "hand21" else "pelvis")]
        self.vertices, self.joints = (torch.tensor(p - root, dtype=torch.float32) for p in (vertices, joints))

    def __call__(self, keypoints):
        return MeshPrediction(*(p.expand(len(keypoints), *p.shape) for p in (self.vertices, self.joints)))


@pytest.fixture(scope="module")
def networks():
    return Known(load_anny_body(), "coco17", "coco19"), Known(load_hand_body(), "hand21", "hand21", TURN)


@pytest.fixture(scope="module")
def model(networks):
    return BodyWithHands(*map(Pose2Mesh, networks))


@pytest.fixture
def keypoints(networks):
    """Exact body_hands59 [59, 3] of the body with two of the network's hands at its wrists."""
    body, hand = networks
    joints = dict(zip(body.output_joint_names, body.joints.numpy(), strict=True))
    points = [body.joints.numpy()[:17]]
    for side, mirror in (("left", -1), ("right", 1)):
        points.append(joints[f"{side}_wrist"] + hand.joints.numpy() * [mirror, 1, 1])
    return np.column_stack([CAMERA.project(np.concatenate(points)), np.ones(59)]).astype(np.float32)


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_hand_on_the_body_has_the_hands_own_shape(model, networks, keypoints, side):
    (person,) = model.predict(keypoints)
    arm = model._arms[side]
    own = networks[1].vertices.numpy()[arm.rows] * [1 if side == "right" else -1, 1, 1]
    is_hand = (arm.hand_share[arm.ids] > 0.999) & (arm.new_share > 0.999)
    given = torch.tensor(own[is_hand], dtype=torch.float64)
    found = torch.tensor(person.vertices[arm.ids][is_hand], dtype=torch.float64)
    assert (similarity_align(found, given) - given).norm(dim=-1).max() < 5e-4  # metres
    untouched = (model._arms["left"].arm_share + model._arms["right"].arm_share) == 0
    np.testing.assert_allclose(person.vertices[untouched], networks[0].vertices.numpy()[untouched], atol=1e-7)


def test_joints_and_keypoints_hold_body_and_hands(model, keypoints, tmp_path):
    (person,) = model.predict(keypoints)
    hands = (*hand_of_body("left").joints, *hand_of_body("right").joints)
    assert person.joint_names == (*joint_set("coco19").joints, *hands)
    np.testing.assert_allclose(person.keypoints, keypoints)
    assert person.keypoint_names == BODY_HANDS59.joints
    tip = person.joints[person.joint_names.index("right_hand_middle4")]
    wrist = person.joints[person.joint_names.index("right_wrist")]
    assert 0.1 < np.linalg.norm(tip - wrist) < 0.25  # metres
    (read,) = load_people(save_people([person], tmp_path / "a.npz"))
    np.testing.assert_array_equal(read.keypoints, person.keypoints)


def test_a_hand_that_is_not_seen_stays_the_bodys_own(model, networks, keypoints):
    hidden = keypoints.copy()
    hidden[17:38, 2] = 0  # the left hand
    both = model.predict(np.stack([keypoints, hidden]))
    left, right = model._arms["left"].arm_share > 0, model._arms["right"].arm_share > 0
    own = networks[0].vertices.numpy()
    np.testing.assert_allclose(both[1].vertices[left], own[left], atol=1e-7)
    np.testing.assert_allclose(both[1].vertices[right], both[0].vertices[right], atol=1e-4)
    assert np.abs(both[0].vertices[left] - own[left]).max() > 0.01


def test_what_is_told_of_a_hands_joints_is_what_is_told_of_its_wrist(model, keypoints):
    (person,) = model.predict(keypoints)
    bare = len(joint_set("coco19").joints)
    told = dataclasses.replace(
        person,
        joints=person.joints[:bare],
        joint_names=person.joint_names[:bare],
        uncertainty=np.linspace(0.01, 0.02, bare),
        seen=np.arange(bare) % 2 == 0,
    )
    whole = model._finish(told, BODY_HANDS59.joints, keypoints[:, :2], keypoints[:, 2])
    for values in (whole.uncertainty, whole.seen):
        assert len(values) == len(whole.joint_names)
        for side in ("left", "right"):
            wrist, tip = (whole.joint_names.index(f"{side}_{name}") for name in ("wrist", "hand_index4"))
            assert values[tip] == values[wrist]


def test_other_meshes_and_bare_bodies_are_refused(model, networks):
    with pytest.raises(InputError, match="not of anny-hand"):
        BodyWithHands(Pose2Mesh(networks[0]), Pose2Mesh(FlatNetwork("hand21")))
    with pytest.raises(InputError, match="20 joints belong to no known joint set"):
        model.predict(np.ones((20, 3)))
    with pytest.raises(InputError, match="belongs to hands"):
        model.predict(np.ones((59, 3)), handedness="left")


WHOLE = {75: "mediapipe75", 65: "wholebody65", 133: "wholebody65", 136: "halpe68", 67: "openpose67"}


@pytest.mark.parametrize(("count", "name"), WHOLE.items())
def test_feet_and_knuckles_of_keypoints_reach_the_body(model, tmp_path, count, name):
    """In an array as in its file: the set is told by the number of joints, as for bodies."""
    values = np.random.default_rng(0).uniform(100, 300, (count, 2)).astype(np.float32)
    np.save(tmp_path / "all.npy", values)
    for found in (model.predict(values), model.predict(tmp_path / "all.npy")):
        assert found[0].keypoint_names == joint_set(name).joints
        np.testing.assert_array_equal(found[0].keypoints[:17, :2], values[: len(joint_set(name))][:17])


def test_keypoints_without_a_joint_of_a_hand_are_refused(model, tmp_path):
    for count, name, kind in ((17, "coco17", "body"), (33, "mediapipe33", "body"), (21, "hand21", "hand")):
        with pytest.raises(InputError, match=f"{name} are no body with hands; .* take --kind {kind}"):
            model.predict(np.random.default_rng(0).uniform(100, 300, (count, 2)))
    body = np.column_stack([np.random.default_rng(0).uniform(100, 300, (25, 2)), np.ones(25)]).ravel().tolist()
    unseen = {"pose_keypoints_2d": body, "hand_left_keypoints_2d": [], "hand_right_keypoints_2d": []}
    (tmp_path / "a_keypoints.json").write_text(json.dumps({"people": [unseen]}))
    assert len(model.predict(tmp_path / "a_keypoints.json")) == 1  # OpenPose leaves out the hands that it did not see


def test_hand_joints_have_their_places():
    assert BODY_HANDS59.joints[17:38] == tuple(f"left_hand_{joint}" for joint in HAND21.joints)


def test_without_a_pictures_size_body_and_hands_are_before_one_camera(model, keypoints):
    (guessed,) = model.predict(keypoints)
    (told,) = model.predict(keypoints, intrinsics=Intrinsics(guessed.camera.focal, guessed.camera.center))
    np.testing.assert_allclose(guessed.vertices, told.vertices, atol=1e-6)


def test_formats_of_motions_say_what_recovers_frame_by_frame(model, keypoints, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("pose2mesh.cli.predict.load_model", lambda *_: model)
    np.save(tmp_path / "one.npy", keypoints)
    command = ["predict", f"{tmp_path}/one.npy", "-o", f"{tmp_path}/out", "--kind", "body+hands", "--save", "bvh,mp4"]
    assert main(command) == 2
    told = "bvh, mp4 belong to motions; --kind body+hands recovers frame by frame, so leave that out, or save as png"
    assert told in capsys.readouterr().err
