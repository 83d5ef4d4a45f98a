"""The live command from a file: page, avatar, recording, and what goes wrong in one line."""

import os
import signal
import socket
import sys
import threading
import time
import urllib.request

import numpy as np
import pytest

from pose2mesh.body_models import load_anny_body
from pose2mesh.cli.live_frames import Newest
from pose2mesh.cli.live_screens import LivePage, open_window
from pose2mesh.cli.main import main
from pose2mesh.detectors.video_files import VideoFrame
from pose2mesh.errors import InputError
from pose2mesh.exporters import load_motion_file
from pose2mesh.rendering.video import video_writer
from pose2mesh.synthesis.walk import walking
from pose2mesh.types import Keypoints2D

av = pytest.importorskip("av", reason="PyAV is not installed; pip install 'pose2mesh[live]'")
pytest.importorskip("pythonosc", reason="python-osc is not installed; pip install 'pose2mesh[live]'")

FPS = 10.0
WALK = walking(load_anny_body(), 1.0, FPS)


class Exact:
    def video(self):
        return self

    def detect(self, image, time):
        row = WALK.keypoints[[round(time * FPS)]]
        return Keypoints2D(row[..., :2] / 4, row[..., 2], "coco17", (image.shape[1], image.shape[0]))


@pytest.fixture
def film(tmp_path, monkeypatch):
    monkeypatch.setattr("pose2mesh.pipeline.get_detector", lambda *_: Exact())
    with video_writer(tmp_path / "walk.mp4", FPS) as video:
        for i in range(len(WALK)):
            video.add(np.full((120, 160, 3), 90, np.uint8), i / FPS)
    return tmp_path / "walk.mp4"


def test_a_file_is_played_sent_and_recorded(film, tmp_path, capsys):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(2)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        out = tmp_path / "out"
        assert main(["live", f"{film}", "--vmc", address, "--record", f"{out}", "--port", "0"]) == 0
        assert b"/VMC/Ext/Bone/Pos" in listener.recv(65536)
    assert (out / "overlay.mp4").stat().st_size > 1000
    motion = load_motion_file(out / "motion.npz")
    assert motion.tracks == (1,) and len(motion) >= 2
    assert motion.fps == pytest.approx(FPS, rel=0.01)  # however slowly it was shown
    assert motion.frame / motion.fps == pytest.approx(motion.time, abs=0.02)
    assert "a second" in capsys.readouterr().out


def test_a_recording_of_nobody_says_so_and_leaves_no_earlier_motion(film, tmp_path, capsys, monkeypatch):
    class Nobody(Exact):
        def detect(self, image, time):
            return super().detect(image, time).select(np.zeros(1, bool))

    monkeypatch.setattr("pose2mesh.pipeline.get_detector", lambda *_: Nobody())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "motion.npz").touch()
    assert main(["live", f"{film}", "--record", f"{tmp_path / 'out'}", "--port", "0"]) == 0
    assert "nobody was found, so there is no motion.npz" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["overlay.mp4"]


def test_who_is_terminated_keeps_what_was_recorded(film, tmp_path, monkeypatch):
    """As a service or a container ends its programs."""
    before = signal.getsignal(signal.SIGTERM)

    class Last(Standing):
        def detect(self, image, time):
            if time > 0:
                os.kill(os.getpid(), signal.SIGTERM)
            return super().detect(image, time)

    monkeypatch.setattr("pose2mesh.pipeline.get_detector", lambda *_: Last())
    assert main(["live", f"{film}", "--record", f"{tmp_path / 'out'}", "--port", "0"]) == 143
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"overlay.mp4", "motion.npz"}
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_page_shows_pictures():
    page = LivePage(0)
    try:
        with urllib.request.urlopen(page.address, timeout=5) as answer:
            assert b"/stream" in answer.read()
        timer = threading.Timer(0.3, lambda: page.show(np.zeros((20, 30, 3), np.uint8)))
        timer.start()
        with urllib.request.urlopen(f"{page.address}stream", timeout=5) as answer:
            assert b"--frame" in answer.readline()
            assert b"image/jpeg" in answer.readline()
    finally:
        page.close()


def test_what_goes_wrong_is_one_line(film, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        cases = {
            f"port {port}": [f"{film}", "--port", f"{port}"],
            "port 99999": [f"{film}", "--port", "99999"],
            "HOST:PORT": [f"{film}", "--vmc", "nowhere"],
            "not both": [f"{film}", "--camera", "1"],
            "camera 93": ["--camera", "93", "--port", "0"],
            "would be lost": [f"{film.with_name('overlay.mp4')}", "--record", f"{film.parent}"],
            "no such file": [f"{film}.not", "--port", "0"],
        }
        for message, arguments in cases.items():
            assert main(["live", *arguments]) == 2
            error = capsys.readouterr().err.splitlines()
            assert len(error) == 1 and message in error[0], error


class Gone:
    """A camera that is pulled out after some pictures."""

    def __init__(self, error: Exception):
        self.error = error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def decode(self, video):
        for _ in range(3):
            yield av.VideoFrame.from_ndarray(np.full((120, 160, 3), 90, np.uint8), format="rgb24")
            time.sleep(0.3)
        raise self.error


@pytest.mark.parametrize("error", [OSError(19, "No such device"), av.error.InvalidDataError(1094995529, "bad data")])
def test_a_camera_that_vanishes_keeps_what_was_recorded(tmp_path, monkeypatch, capsys, error):
    monkeypatch.setattr("pose2mesh.pipeline.get_detector", lambda *_: Standing())
    monkeypatch.setattr("av.open", lambda path, *how, **k: AV_OPEN(path, *how, **k) if how else Gone(error))
    assert main(["live", "--camera", "5", "--record", f"{tmp_path}", "--port", "0"]) == 0
    assert "camera 5 is gone" in capsys.readouterr().err
    assert 1 in load_motion_file(tmp_path / "motion.npz").tracks  # and others where a machine stands still
    assert (tmp_path / "overlay.mp4").stat().st_size > 500


AV_OPEN = av.open


class Standing(Exact):
    def detect(self, image, time):
        return super().detect(image, 0.0)


def test_a_window_where_there_is_a_display(film, monkeypatch, capsys):
    """It shows pictures until the user closes it."""

    class Window:
        is_open, shown = True, 0

        def show(self, image):
            assert image.shape == (120, 160, 3)
            self.shown += 1
            self.is_open = self.shown < 2

        def close(self):
            self.is_open = False

    window = Window()
    monkeypatch.setattr("pose2mesh.cli.live.open_window", lambda: window)
    assert main(["live", f"{film}"]) == 0
    assert 2 <= window.shown <= 3 and "showing on" not in capsys.readouterr().out


def test_no_display_no_window(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    if sys.platform == "linux":
        assert open_window() is None


def test_the_newest_frame_is_given_and_its_error_told():
    def frames():
        for index in range(5):
            yield VideoFrame(index, float(index), np.zeros((2, 2, 3), np.uint8))
        raise InputError("broken")

    newest, seen = Newest(frames()), []
    with pytest.raises(InputError, match="broken"):
        for frame in newest:
            seen.append(frame.index)
            time.sleep(0.2)
            assert time.monotonic() - newest.came >= 0.2
    assert seen[-1] == 4 and len(seen) <= 3


def test_what_is_no_video_is_told_before_a_page_opens(tmp_path, capsys):
    (tmp_path / "a.json").write_text("[]")
    assert main(["live", str(tmp_path / "a.json")]) == 2
    shown = capsys.readouterr()
    assert "neither a video nor a folder of numbered frames" in shown.err and shown.out == ""


def test_weights_of_hands_are_refused_without_options_that_live_has_not(tmp_path, capsys):
    for i in range(10):
        (tmp_path / f"a_{i}.png").write_bytes(b"")
    assert main(["live", str(tmp_path), "--weights", "anny-hand"]) == 2
    assert capsys.readouterr().err.endswith("weights anny-hand recover a hand; give those of a body\n")
