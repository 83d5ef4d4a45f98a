"""What frames of files tell of themselves: their number, their time, and who was left out of them."""

import numpy as np
import pytest
from fake_network import FlatNetwork
from test_pipeline import FixedDetector, person

from pose2mesh.errors import InputError
from pose2mesh.pipeline import Pose2Mesh


@pytest.fixture
def model():
    return Pose2Mesh(FlatNetwork())


def test_frames_tell_their_number_and_time(model, tmp_path, monkeypatch):
    np.save(tmp_path / "walk.npy", np.stack([[person(i)] for i in range(4)]))
    frames = list(model.predict_frames(tmp_path / "walk.npy", batch_size=2))
    assert [(frame.index, round(frame.time, 3)) for frame in frames] == [(0, 0), (1, 0.033), (2, 0.067), (3, 0.1)]
    video = [(5, 0.5, np.zeros((480, 400, 3), np.uint8)), (7, 0.7, np.zeros((480, 400, 3), np.uint8))]
    monkeypatch.setattr("pose2mesh.pipeline.read_video", lambda _: iter(video))
    (tmp_path / "walk.mp4").touch()
    frames = list(model.predict_frames(tmp_path / "walk.mp4", detector=FixedDetector([person()])))
    assert [(frame.index, frame.time) for frame in frames] == [(5, 0.5), (7, 0.7)]


def test_who_is_left_out_is_told_once(model, tmp_path, caplog):
    weak = person(1)
    weak[2:, 2] = 0
    np.save(tmp_path / "three.npy", np.stack([person(), weak, person(2)]))
    told = "three.npy: 1 person(s) left out, numbers count those that remain; the first is person 1: 2 visible joints"
    assert len(model.predict(tmp_path / "three.npy")) == 2
    assert len(next(model.predict_frames(tmp_path / "three.npy")).people) == 2
    assert len(caplog.messages) == 2 and all(told in message for message in caplog.messages)
    caplog.clear()
    absent = np.zeros((17, 3))  # fills up the array
    np.save(tmp_path / "walk.npy", np.stack([[person(), absent], [person(), weak], [weak, weak]]))
    for frames in (model.predict_frames(tmp_path / "walk.npy", batch_size=1), model.track(tmp_path / "walk.npy")):
        assert [len(frame.people) for frame in frames] == [1, 1, 0]
        (message,) = caplog.messages
        assert "3 person(s) left out" in message and "the first is walk_000001, person 1: 2 visible joints" in message
        caplog.clear()


def test_a_video_is_refused_before_it_is_read(model, tmp_path):
    (tmp_path / "walk.mp4").touch()
    with pytest.raises(InputError, match=r"walk.mp4: is a video, not one picture; take predict_frames, track or mot"):
        model.predict(tmp_path / "walk.mp4", detector="none")
