"""Options that could do nothing for an input are refused in one line, where the user gave them."""

import numpy as np
import pytest
from fake_network import FlatNetwork

from pose2mesh.cli.main import main
from pose2mesh.pipeline import Pose2Mesh


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--track", "--side_view"], "--side_view is of pictures"),
        (["--track", "--handedness", "left"], "--handedness is of hands"),
        (["--smooth", "auto"], "--smooth is of bodies in videos"),
        (["--refine", "--no-fit"], "--refine fits bodies by itself; leave --no-fit out"),
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


def test_inputs_that_begin_with_a_dash_stand_behind_two(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Pose2Mesh, "from_pretrained", lambda *_: Pose2Mesh(FlatNetwork()))
    monkeypatch.chdir(tmp_path)
    np.save("-dash.npy", np.random.default_rng(0).uniform(100, 300, (17, 2)))
    assert main(["predict", "-o", "out", "--save", "npz", "--", "-dash.npy"]) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["-dash.npz"]
