"""The demo's walk, with a detector that finds it exactly: video, files and the told error."""

import numpy as np
import pytest

from pose2mesh.body_models import load_anny_body
from pose2mesh.cli.demo import FPS, draw_motion, motion_error, recover_walk
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.synthesis.walk import walking
from pose2mesh.types import Keypoints2D

av = pytest.importorskip("av", reason="PyAV is not installed; pip install 'pose2mesh[video]'")


class Exact:
    """Finds the walk where it is."""

    def __init__(self, truth):
        self.truth = truth

    def video(self):
        return self

    def detect(self, image, time):
        row = self.truth.keypoints[[round(time * FPS)]]
        return Keypoints2D(row[..., :2], row[..., 2], "coco17", (image.shape[1], image.shape[0]))


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr("pose2mesh.cli.demo.SECONDS", 0.4)
    return walking(load_anny_body(), 0.4, FPS)


def test_walk_of_the_demo(short, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("pose2mesh.pipeline.get_detector", lambda *_: Exact(short))
    recover_walk(Pose2Mesh.from_pretrained("anny-key2mesh"), tmp_path)
    files = ["walk.bvh", "walk.glb", "walk.mp4", "walk.npz", "walk_overlay.mp4"]
    assert sorted(path.name for path in tmp_path.iterdir()) == files
    said = capsys.readouterr().out
    assert "walk: 1 person(s)" in said and "mm from the true ones" in said


def test_error_of_the_truth_is_zero(short):
    assert motion_error(short, short) == pytest.approx((0, 0), abs=1e-2)
    moved = type(short)(**{**vars(short), "translation": short.translation + np.array([0, 0, 0.1])})
    assert motion_error(moved, short) == pytest.approx((0, 100), abs=0.1)


def test_the_walk_is_drawn_where_it_is(short, tmp_path):
    draw_motion(short, tmp_path / "walk.mp4")
    with av.open(str(tmp_path / "walk.mp4")) as container:
        first = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    x, y = short.keypoints[0, 11:13, :2].mean(0).round().astype(int)  # between the hips
    skin, wall = first[y, x], first[10, 10]
    assert np.abs(skin - wall).sum() > 60
