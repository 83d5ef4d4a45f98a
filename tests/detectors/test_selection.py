"""Which detector is chosen, and what is said when it is missing."""

import json
import sys

import numpy as np
import pytest

from pose2mesh.cli.main import main
from pose2mesh.detectors import Chosen, frame_finder, get_detector, sessions
from pose2mesh.errors import InputError, MissingDependencyError
from pose2mesh.types import Keypoints2D


def test_auto_without_its_runtime_names_the_line_to_type(monkeypatch):
    sessions._load.cache_clear()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # import raises ImportError
    with pytest.raises(MissingDependencyError, match=r"pip install 'pose2mesh\[detect\]'"):
        get_detector("auto")


@pytest.mark.parametrize(("name", "extra"), [("mediapipe", "mediapipe"), ("rtmlib", "rtmlib")])
def test_missing_package(monkeypatch, name, extra):
    for module in [m for m in sys.modules if m.split(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)  # import raises ImportError
    with pytest.raises(MissingDependencyError, match=rf"pip install 'pose2mesh\[{extra}\]'"):
        get_detector(name)


def test_some_of_the_people():
    class Five:
        def detect(self, image):
            confidence = np.linspace(0.9, 0.5, 5)[:, None] * (np.arange(17) < 8)
            return Keypoints2D(np.zeros((5, 17, 2)), confidence, "coco17", tracks=(0, 1, 2, 3, 4))

    picture = np.zeros((8, 8, 3), np.uint8)
    assert Chosen(Five(), 2, 0.0).detect(picture).tracks == (0, 1)
    assert Chosen(Five(), None, 0.65).detect(picture).tracks == (0, 1, 2)
    assert Chosen(Five(), 9, 0.95).detect(picture).tracks == ()


def test_some_of_the_people_of_a_video():
    """A mode for videos is given the times, a detector without one is not."""
    nobody = Keypoints2D(np.zeros((0, 17, 2)), np.zeros((0, 17)), "coco17")

    class OfPictures:
        def detect(self, image):
            return nobody

    class OfVideos:
        def __init__(self):
            self.times = []

        def video(self):
            return self

        def detect(self, image, time_s):
            self.times.append(time_s)
            return nobody

    picture = np.zeros((8, 8, 3), np.uint8)
    assert len(frame_finder(Chosen(OfPictures(), 2, 0.0))(picture, 0.5)) == 0
    of_videos = OfVideos()
    assert len(frame_finder(Chosen(of_videos, 2, 0.0))(picture, 0.5)) == 0
    assert of_videos.times == [0.5]


def test_the_largest_whatever_their_order():
    sizes = np.array([20.0, 90.0, 40.0])
    points = np.linspace(0, 1, 17)[:, None] * sizes[:, None, None] + np.zeros((3, 17, 2))
    found = Keypoints2D(points, np.ones((3, 17)), "coco17", tracks=(0, 1, 2))
    assert Chosen(get_detector("none"), 2, 0.0).among(found).tracks == (1, 2)
    assert Chosen(get_detector("none"), 1, 0.0).among(found.select(np.zeros(3, bool))).tracks == ()


def test_some_of_the_people_of_a_keypoint_file(tmp_path, capsys):
    people = np.concatenate([np.linspace(0, 1, 17)[:, None] * [[[50, 90]], [[90, 190]]], np.ones((2, 17, 1))], -1)
    people[0, :, 2] = 0.4
    np.save(tmp_path / "two.npy", people)
    for options in (["--max-people", "1"], ["--min-score", "0.5"]):
        assert main(["predict", f"{tmp_path / 'two.npy'}", "-o", f"{tmp_path}", "--save", "json", *options]) == 0
        assert "two: 1 person(s)" in capsys.readouterr().out
        assert json.loads((tmp_path / "two_0.json").read_text())["score"] > 0.9
    people[..., 2] *= 0.5
    np.save(tmp_path / "two.npy", people)
    assert main(["predict", f"{tmp_path / 'two.npy'}", "-o", f"{tmp_path}", "--min-score", "0.9"]) == 2
    assert "nobody found" in (told := capsys.readouterr().err) and "a lower --min-score" in told


def test_hands_need_a_detector_of_hands():
    for name in ("rtmlib", "mediapipe"):
        with pytest.raises(InputError, match="--detector auto"):
            get_detector(name, "hand")
