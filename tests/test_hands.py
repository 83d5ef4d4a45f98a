"""Hands through the chain and the command, with a network whose answer is known."""

import numpy as np
import pytest
import torch
from fake_network import FlatNetwork
from PIL import Image

from pose2mesh.cli.main import main
from pose2mesh.errors import InputError, NoPersonFoundError
from pose2mesh.exporters import load_people
from pose2mesh.geometry.surface import face_normals
from pose2mesh.networks.prediction import MeshPrediction
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.types import Keypoints2D

THUMB = torch.tensor([0.05, 0.0, 0.0])  # metres, towards +x: what tells the network's hands from their mirror images


class RightHands(FlatNetwork):
    """The flat network with its vertices moved to one side."""

    def __init__(self) -> None:
        super().__init__("hand21")

    def __call__(self, keypoints):
        output = super().__call__(keypoints)
        return MeshPrediction(output.vertices + THUMB, output.joints)


class FixedDetector:
    def __init__(self, hands, sides):
        self.hands, self.sides = hands, sides

    def detect(self, image):
        size = (image.shape[1], image.shape[0])
        return Keypoints2D(self.hands[..., :2], self.hands[..., 2], "hand21", size, self.sides)


def hand(seed=0):
    rng = np.random.default_rng(seed)
    columns = [rng.uniform(100, 300, 21), rng.uniform(50, 450, 21), rng.uniform(0.5, 1, 21)]
    return np.column_stack(columns).astype(np.float32)


@pytest.fixture
def model():
    return Pose2Mesh(RightHands())


def test_a_left_hand_is_the_mirror_image_of_a_right_one(model):
    mirrored = hand() * np.array([-1, 1, 1], np.float32)
    (right,) = model.predict(mirrored, handedness="right")
    (left,) = model.predict(hand(), joint_set="hand21", handedness="left")
    np.testing.assert_allclose(left.vertices, right.vertices * [-1, 1, 1], atol=1e-6)
    np.testing.assert_allclose(left.camera.project(left.joints), hand()[:, :2], atol=0.05)
    assert (left.handedness, right.handedness) == ("left", "right")
    normals = face_normals(right.vertices, right.faces) * [-1, 1, 1]
    np.testing.assert_allclose(face_normals(left.vertices, left.faces), normals, atol=1e-5)


def test_sides_come_from_the_caller_the_detector_or_are_right(model):
    assert model.predict(hand())[0].handedness == "right"
    both = np.stack([hand(), hand(1)])
    assert [h.handedness for h in model.predict(both, handedness=("left", "right"))] == ["left", "right"]
    assert [h.handedness for h in model.predict(both, handedness="left")] == ["left", "left"]
    picture = np.zeros((480, 400, 3), np.uint8)
    found = model.predict(picture, detector=FixedDetector(both, ("right", "left")))
    assert [h.handedness for h in found] == ["right", "left"]
    assert found[1].camera.image_size == (400, 480)
    np.testing.assert_allclose(found[1].keypoints, both[1])


BAD = {
    "20 joints": (np.ones((20, 3)), {}, "20 joints"),
    "22 joints": (np.ones((22, 3)), {}, "22 joints"),
    "both hands in a row": (np.ones((42, 3)), {}, "two hands in one array"),
    "two hands, no sides": (np.stack([hand(), hand(1)]), {}, "nothing tells left from right"),
    "all missing": (np.zeros((21, 3)), {}, "hand 0: 0 visible joints"),
    "a body": (np.ones((17, 3)), {}, "17 joints"),
    "no side": (hand(), {"handedness": "up"}, "'up' is neither"),
    "too many sides": (hand(), {"handedness": ("left", "right")}, "2 entries for 1 hands"),
}


@pytest.mark.parametrize(("source", "options", "message"), BAD.values(), ids=BAD.keys())
def test_bad_keypoints(model, source, options, message):
    with pytest.raises(InputError, match=message):
        model.predict(source, **options)


def test_bodies_have_no_side():
    with pytest.raises(InputError, match="belongs to hands"):
        Pose2Mesh(FlatNetwork()).predict(np.ones((17, 3)), handedness="left")


def test_a_picture_without_a_hand(model):
    picture = np.zeros((480, 400, 3), np.uint8)
    with pytest.raises(NoPersonFoundError, match="no hand found; try a larger or sharper picture"):
        model.predict(picture, detector=FixedDetector(np.zeros((0, 21, 3)), ()))


def test_keypoints_without_a_hand_are_told_of_keypoints(model, tmp_path):
    """Whole bodies whose hands are missing: there is no picture that could be larger."""
    whole = np.random.default_rng(0).uniform(50, 400, (1, 133, 3))
    whole[..., 2] = np.arange(133) < 91
    np.save(tmp_path / "wb133.npy", whole)
    for source in (whole, tmp_path / "wb133.npy"):
        with pytest.raises(NoPersonFoundError, match="no hand found; give keypoints of a hand with conf"):
            model.predict(source)
    with pytest.raises(NoPersonFoundError, match=r"wb133\.npy: no hand found; give keypoints"):
        next(model.predict_frames(tmp_path / "wb133.npy"))


@pytest.fixture
def _known_network(monkeypatch):
    monkeypatch.setattr(Pose2Mesh, "from_pretrained", lambda *_: Pose2Mesh(RightHands()))


@pytest.mark.usefixtures("_known_network")
def test_the_command_writes_overlay_meshes_and_sides(tmp_path, monkeypatch, capsys):
    Image.fromarray(np.zeros((480, 400, 3), np.uint8)).save(tmp_path / "photo.png")
    detector = FixedDetector(np.stack([hand(), hand(1)]), ("right", "left"))
    monkeypatch.setattr("pose2mesh.pipeline.get_detector", lambda name, kind: {"hand": detector}[kind])
    out = tmp_path / "out"
    assert main(["predict", f"{tmp_path}/photo.png", "--kind", "hand", "-o", f"{out}", "--save", "png,npz,obj"]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["photo.npz", "photo_0.obj", "photo_1.obj", "photo_overlay.png"]
    assert "2 hand(s)" in capsys.readouterr().out
    with np.load(out / "photo.npz") as result:
        assert result["handedness"].tolist() == ["right", "left"]
    right, left = load_people(out / "photo.npz")
    np.testing.assert_array_equal(left.faces, right.faces[:, [0, 2, 1]])


@pytest.mark.usefixtures("_known_network")
@pytest.mark.parametrize("bad", [np.ones((20, 3)), np.ones((22, 3)), np.ones((42, 3)), np.zeros((21, 3))])
def test_a_bad_file_is_one_line_and_overwrites_nothing(tmp_path, capsys, bad):
    np.save(tmp_path / "a.npy", hand())
    arguments = ["predict", f"{tmp_path}/a.npy", "--kind", "hand", "--handedness", "left", "-o", f"{tmp_path}/out"]
    assert main(arguments) == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    capsys.readouterr()
    np.save(tmp_path / "a.npy", bad)
    assert main(arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("pose2mesh: error:") and "a.npy" in lines[0]
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


@pytest.mark.usefixtures("_known_network")
def test_weights_and_kind_have_to_agree(tmp_path, capsys):
    np.save(tmp_path / "a.npy", hand())
    assert main(["predict", f"{tmp_path}/a.npy", "-o", f"{tmp_path}/out"]) == 2
    assert "recover a hand; add --kind hand" in capsys.readouterr().err
