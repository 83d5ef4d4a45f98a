"""Options that could do nothing for an input are refused in one line, where the user gave them."""

import numpy as np
import pytest
from fake_network import FlatNetwork
from PIL import Image

from pose2mesh.cli.main import main
from pose2mesh.errors import InputError
from pose2mesh.pipeline import Pose2Mesh


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--track", "--side_view"], "--side_view is of pictures"),
        (["--track", "--handedness", "left"], "--handedness is of hands"),
        (["--smooth", "auto"], "--smooth is of bodies in videos"),
        (["--refine", "--no-fit"], "--refine fits bodies by itself; leave --no-fit out"),
        (["--kind", "hand", "--no-fit"], "--no-fit is of bodies; hands are not fitted, so leave it out"),
        (["--overlay", "beside"], "--overlay and --draw-keypoints are of png and mp4"),
        (["--draw-keypoints"], "--overlay and --draw-keypoints are of png and mp4"),
        (["--detector", "mediapipe"], "--detector mediapipe is of pictures, and all inputs are keypoints"),
        (["--detector", "mediapipe", "--track"], "--detector mediapipe is of pictures, and all inputs are keypoints"),
    ],
)
def test_options_without_effect(tmp_path, capsys, monkeypatch, more, told):
    monkeypatch.setattr(Pose2Mesh, "from_pretrained", lambda *_: Pose2Mesh(FlatNetwork()))
    monkeypatch.setattr(Pose2Mesh, "refined", lambda self: self)
    rng = np.random.default_rng(0)
    np.save(tmp_path / "in.npy", rng.uniform(100, 300, (3, 1, 17, 3)) * [1, 1, 0] + [0, 0, 1])
    assert main(["predict", f"{tmp_path}/in.npy", "-o", f"{tmp_path}/out", "--save", "npz", *more]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line and not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["photo.png", "frames"])
def test_a_joint_set_is_of_keypoint_files(tmp_path, capsys, monkeypatch, name):
    (tmp_path / "frames").mkdir()
    for file in ("photo.png", *(f"frames/a_{i}.png" for i in range(10))):
        (tmp_path / file).write_bytes(b"")
    given = ["predict", "-o", f"{tmp_path}/out", "--joint-set", "coco17", "--save", "npz", f"{tmp_path}/{name}"]
    assert main(given) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--joint-set is of keypoint files, and no input is one; leave it out" in line
    np.save(tmp_path / "in.npy", np.random.default_rng(0).uniform(100, 300, (17, 2)))
    monkeypatch.setattr(Pose2Mesh, "from_pretrained", lambda *_: Pose2Mesh(FlatNetwork()))
    assert main([*given, f"{tmp_path}/in.npy"]) == 2  # the picture is broken, the keypoints are read
    assert (tmp_path / "out" / "in.npz").exists()


def test_an_array_needs_no_detector():
    model, values = Pose2Mesh(FlatNetwork()), np.random.default_rng(0).uniform(100, 300, (17, 2))
    assert len(model.predict(values, detector="none")) == 1
    with pytest.raises(InputError, match="keypoints: detector 'mediapipe' is of pictures; leave it out"):
        model.predict(values, detector="mediapipe")


def test_a_picture_has_no_joint_set(tmp_path):
    model, picture = Pose2Mesh(FlatNetwork()), np.zeros((40, 40, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "in.png")
    for source, named in ((picture, "the picture"), (tmp_path / "in.png", "in.png")):
        with pytest.raises(InputError, match=f"{named}: joint_set 'coco17' is of keypoints.* leave it out"):
            model.predict(source, joint_set="coco17")


def test_inputs_that_begin_with_a_dash_stand_behind_two(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Pose2Mesh, "from_pretrained", lambda *_: Pose2Mesh(FlatNetwork()))
    monkeypatch.chdir(tmp_path)
    np.save("-dash.npy", np.random.default_rng(0).uniform(100, 300, (17, 2)))
    assert main(["predict", "-o", "out", "--save", "npz", "--", "-dash.npy"]) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["-dash.npz"]
