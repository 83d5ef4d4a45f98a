"""Videos to motions, by the library and by the command, with a detector whose finds are a known walk."""

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pose2mesh.body_models import load_anny_body
from pose2mesh.cli.main import main
from pose2mesh.detectors import Chosen, sources
from pose2mesh.detectors.sources import is_sequence, numbered_frames
from pose2mesh.errors import FormatError
from pose2mesh.exporters import load_motion_file
from pose2mesh.paths import asset
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.rendering.video import video_writer
from pose2mesh.skeletons import COCO17
from pose2mesh.synthesis.walk import walking
from pose2mesh.types import Keypoints2D

av = pytest.importorskip("av", reason="PyAV is not installed; pip install 'pose2mesh[video]'")

BODY = load_anny_body()
FPS, FRAMES = 15.0, 20
SCENE = [walking(BODY, 2.0, FPS, 90, start=(-1.2, 4.5)), walking(BODY, 2.0, FPS, -90, start=(1.2, 5.2))]


class WalkDetector:
    """Finds the scene's people by the time of the frame; one object per video, as `video()` gives it."""

    def __init__(self, count: int = 2, fails_at: int | None = None):
        self.count, self.fails_at, self.seen = count, fails_at, []

    def video(self):
        return self

    def detect(self, image, time):
        frame = round(time * FPS)
        if frame == self.fails_at:
            raise KeyboardInterrupt
        self.seen.append(frame)
        rows = np.stack([person.keypoints[frame] for person in SCENE])[: self.count][::-1]
        size = (image.shape[1], image.shape[0])
        return Keypoints2D(rows[..., :2] * size[0] / 640, rows[..., 2], "coco17", size)


@pytest.fixture(scope="module")
def model():
    return Pose2Mesh.from_pretrained("anny-key2mesh")


@pytest.mark.parametrize("times", [[0.0, 0.1, 0.1, 0.1, 0.1, 0.2], [0.0, 0.3, 0.2, 0.2, 0.1, 0.4]])
def test_clocks_that_stand_still_or_step_back(times):
    frames = [(i, time, np.zeros((480, 640, 3), np.uint8)) for i, time in enumerate(times)]
    found = list(Pose2Mesh.from_pretrained("anny-body").follow(frames, WalkDetector(1)))
    assert (np.diff([frame.time for frame in found]) > 0).all()
    for frame in found:
        assert np.isfinite(frame.people[0].vertices).all() and np.isfinite(frame.people[0].camera.translation).all()


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "walk.mp4"
    with video_writer(path, FPS) as writer:
        for i in range(FRAMES):
            writer.add(np.full((120, 160, 3), 5 * i, np.uint8), i / FPS)
    return path


@pytest.fixture
def detector(monkeypatch):
    found = WalkDetector()
    monkeypatch.setattr("pose2mesh.pipeline.get_detector", lambda *_: found)
    return found


def predict(video, out, *more: str) -> int:
    return main(["predict", f"{video}", "-o", f"{out}", "--weights", "anny-key2mesh", *more])


def test_people_have_numbers(model, video):
    frames = list(model.track(video, detector=WalkDetector()))
    assert [frame.index for frame in frames] == list(range(FRAMES))
    assert frames[3].time == pytest.approx(3 / FPS) and frames[3].image.shape == (120, 160, 3)
    for frame in frames:
        assert sorted(person.track for person in frame.people) == [1, 2]
        left = min(frame.people, key=lambda person: person.track)
        left = left.keypoints[[left.keypoint_names.index(name) for name in COCO17.joints], 0].mean()
        assert np.isclose(left, SCENE[1].keypoints[frame.index, :, 0].mean() / 4, atol=1)  # 1 was listed first


def test_motion_of_a_video(model, video):
    motion = model.motion(video, detector=WalkDetector())
    assert motion.tracks == (1, 2) and len(motion) == 2 * FRAMES
    assert motion.fps == pytest.approx(FPS, rel=0.01)
    assert len(np.unique(motion.betas, axis=0)) == 2
    one = motion.only(2)
    assert one.translation[-1, 0] > one.translation[0, 0] + 0.5  # walks to the right


@pytest.mark.parametrize("fit", [True, False])
def test_the_network_over_time_steadies_a_motion(video, fit):
    model = Pose2Mesh.from_pretrained("anny-body")
    steady, rough = (model.motion(video, smooth, detector=Trembling(), fit=fit) for smooth in ("auto", "off"))
    assert len(steady) == len(rough) == 2 * FRAMES and len(np.unique(steady.betas, axis=0)) == 2
    jitter = [
        np.linalg.norm(np.diff(motion.only(track).joints, 2, axis=0), axis=-1).mean()
        for motion in (steady, rough)
        for track in motion.tracks
    ]
    assert max(jitter[:2]) < min(jitter[2:]) / 2


class Trembling(WalkDetector):
    """The same, a little off."""

    def detect(self, image, time):
        found = super().detect(image, time)
        noise = np.random.default_rng(round(1000 * time)).normal(0, 1.5, found.points.shape)
        return replace(found, points=found.points + noise.astype(np.float32))


def test_the_command_writes_one_folder(detector, video, tmp_path, capsys):
    (tmp_path / "out" / "walk").mkdir(parents=True)
    (tmp_path / "out" / "walk" / "animation_7.bvh").touch()  # of somebody of an earlier run
    assert predict(video, tmp_path / "out", "--save", "mp4,npz,glb,bvh,html") == 0
    names = sorted(path.name for path in (tmp_path / "out" / "walk").iterdir())
    bones = ["animation_1.bvh", "animation_2.bvh"]
    assert names == ["animation.glb", "animation.html", *bones, "motion.npz", "overlay.mp4"]
    assert "walk: 2 person(s) over 1.3 s" in capsys.readouterr().out
    assert load_motion_file(tmp_path / "out" / "walk" / "motion.npz").tracks == (1, 2)
    with av.open(str(tmp_path / "out" / "walk" / "overlay.mp4")) as container:
        assert len(list(container.decode(video=0))) == FRAMES


def test_a_killed_run_goes_on(detector, video, tmp_path, monkeypatch):
    monkeypatch.setattr("pose2mesh.cli.predict_video._PART", 4)
    save = ("--save", "npz", "--batch-size", "2")
    assert predict(video, tmp_path / "whole", *save) == 0
    detector.seen.clear()
    detector.fails_at = 11
    assert predict(video, tmp_path / "cut", *save) == 130
    assert (tmp_path / "cut" / "walk" / ".parts").is_dir()
    detector.fails_at = None
    detector.seen.clear()
    assert predict(video, tmp_path / "cut", *save) == 0
    assert detector.seen[0] >= 4 and detector.seen[-1] == FRAMES - 1
    whole, cut = (load_motion_file(tmp_path / name / "walk" / "motion.npz") for name in ("whole", "cut"))
    np.testing.assert_array_equal(whole.track, cut.track)
    np.testing.assert_allclose(whole.translation, cut.translation, atol=1e-6)
    assert not (tmp_path / "cut" / "walk" / ".parts").exists()


def test_another_run_into_the_same_folder_is_told(detector, video, tmp_path, monkeypatch, capsys):
    answers = []
    look = detector.detect

    def detect(image, time):
        if not answers:
            answers.append(None)
            answers[0] = predict(video, tmp_path / "out", "--save", "npz")
        return look(image, time)

    detector.detect = detect
    assert predict(video, tmp_path / "out", "--save", "npz") == 0
    assert answers == [2] and "another run" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["walk"]


def test_the_choice_of_people_is_a_setting(detector, video, tmp_path, monkeypatch):
    monkeypatch.setattr("pose2mesh.cli.predict_video._PART", 4)
    monkeypatch.setattr("pose2mesh.cli.predict.get_detector", lambda _, __, *choice: Chosen(detector, *choice))
    detector.fails_at = 11
    assert predict(video, tmp_path, "--save", "npz", "--batch-size", "2", "--max-people", "1") == 130
    detector.fails_at = None
    detector.seen.clear()
    assert predict(video, tmp_path, "--save", "npz", "--max-people", "1") == 0
    assert detector.seen[0] >= 4
    assert load_motion_file(tmp_path / "walk" / "motion.npz").tracks == (1,)


def test_other_settings_begin_again(detector, video, tmp_path, monkeypatch):
    monkeypatch.setattr("pose2mesh.cli.predict_video._PART", 4)
    detector.fails_at = 11
    assert predict(video, tmp_path, "--save", "npz", "--batch-size", "2") == 130
    detector.fails_at = None
    detector.seen.clear()
    assert predict(video, tmp_path, "--save", "npz", "--focal", "500") == 0
    assert detector.seen == list(range(FRAMES))


@pytest.mark.parametrize("changed", ["weights", "program"])
def test_other_weights_under_the_same_name_begin_again(detector, video, tmp_path, monkeypatch, changed):
    monkeypatch.setattr("pose2mesh.cli.predict_video._PART", 4)
    weights = tmp_path / "own.safetensors"
    shutil.copy(asset("weights/anny-key2mesh.safetensors"), weights)
    command = ["predict", f"{video}", "-o", f"{tmp_path}", "--weights", f"{weights}", "--save", "npz"]
    detector.fails_at = 11
    assert main([*command, "--batch-size", "2"]) == 130
    detector.fails_at = None
    detector.seen.clear()
    if changed == "weights":
        os.utime(weights, (1, 1))
    else:
        monkeypatch.setattr("pose2mesh.cli.predict_video.__version__", "99")
    assert main(command) == 0
    assert detector.seen == list(range(FRAMES))


def test_numbered_frames_are_one_motion(detector, tmp_path):
    folder = tmp_path / "shots"
    folder.mkdir()
    for i in range(12):
        Image.fromarray(np.zeros((120, 160, 3), np.uint8)).save(folder / f"shot_{i + 5}.png")
    (folder / "._shot_5.png").write_bytes(b"what macOS leaves on foreign disks")
    assert [path.stem for path in numbered_frames(folder)][-1] == "shot_16" and is_sequence(folder)
    assert predict(folder, tmp_path / "out", "--save", "npz") == 0
    assert load_motion_file(tmp_path / "out" / "shots" / "motion.npz").frame.tolist()[-1] == 11
    (folder / "shot_9.png").unlink()
    assert not is_sequence(folder)  # photos of a camera have holes in their numbers


def test_no_track_is_frame_by_frame(video, tmp_path, monkeypatch):
    class Single(WalkDetector):
        video = None

        def detect(self, image):
            return WalkDetector.detect(self, image, 0.0)

    monkeypatch.setattr("pose2mesh.pipeline.get_detector", lambda *_: Single())
    assert predict(video, tmp_path / "out", "--save", "json", "--no-track") == 0
    assert len(list((tmp_path / "out").glob("walk_*_0.json"))) == FRAMES


def test_bad_videos_are_one_line(detector, video, tmp_path, capsys):
    detector.count = 0
    cases = {f"{video}: nobody": (video, ()), "no-track": (video, ("--save", "obj"))}
    (tmp_path / "cut.mp4").write_bytes(video.read_bytes()[:200])
    cases["cut.mp4"] = (tmp_path / "cut.mp4", ())
    for message, (path, more) in cases.items():
        assert predict(path, tmp_path / "out", *more) == 2
        lines = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
        assert len(lines) == 1 and message in lines[0]


def test_one_frame_is_a_motion(model, tmp_path):
    with video_writer(tmp_path / "one.mp4", FPS) as writer:
        writer.add(np.zeros((120, 160, 3), np.uint8), 0.0)
    motion = model.motion(tmp_path / "one.mp4", detector=WalkDetector(1))
    assert len(motion) == 1
    motion.save(tmp_path / "one.glb")
    motion.save(tmp_path / "one.bvh")


def test_another_size_ends_the_motion(model, tmp_path, caplog):
    for i in range(12):
        Image.fromarray(np.zeros((120, 160 + 2 * (i > 7), 3), np.uint8)).save(tmp_path / f"f{i:02d}.png")
    motion = model.motion(tmp_path, detector=WalkDetector())
    assert "frame 8 has another size" in caplog.text
    assert motion.frame[-1] == 7


def test_a_cut_ends_who_was_seen_before(model, video):
    """The camera looks elsewhere from frame 10 on: others, elsewhere, and nobody flies from there to here."""

    class Cut(WalkDetector):
        def detect(self, image, time):
            found = super().detect(image, time)
            moved = found.points * 0.4 + [90, 60]
            return found if round(time * FPS) < 10 else replace(found, points=moved.astype(np.float32))

    motion = model.motion(video, detector=Cut(1))
    assert [len(set(motion.track[motion.frame // 10 == part])) for part in (0, 1)] == [1, 1]
    assert motion.track[0] != motion.track[-1]
    for track in motion.tracks:
        steps = np.linalg.norm(np.diff(motion.only(track).translation, axis=0), axis=-1)
        assert steps.max() * FPS < 3  # m/s


def test_a_rate_of_zero_is_told(model, video, monkeypatch):
    info = sources.video_info(video)
    monkeypatch.setattr(sources, "video_info", lambda path: info._replace(fps=0.0))
    with pytest.raises(FormatError, match=r"walk.mp4: the video says 0.0 frames a second"):
        model.motion(video, detector=WalkDetector(1))


def test_numbers_from_elsewhere(model, video):
    class Fixed:
        def update(self, keypoints, time):
            return tuple(range(10, 10 + len(keypoints)))

    frame = next(iter(model.track(video, detector=WalkDetector(), tracker=Fixed())))
    assert [person.track for person in frame.people] == [10, 11]
    assert replace(frame.people[0], track=None).track is None
