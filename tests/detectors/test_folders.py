"""Which files of a folder are inputs, and what is said of the others."""

import numpy as np
import pytest

from pose2mesh.cli.main import main
from pose2mesh.detectors.images import list_folder
from pose2mesh.detectors.sources import missing_number, numbered_frames


def fill(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")
    return folder


def test_files_of_other_kinds_are_told(tmp_path, caplog):
    fill(tmp_path, "a.jpg", "a.json", "a_0.json", "b.json", "c.npy", "notes.txt", "clip.mp4", "raw.svg", "page.html")
    assert [path.name for path in list_folder(tmp_path)] == ["a.jpg"]
    (told,) = caplog.messages
    assert "one kind is taken, .jpg here; left out 1 .json, 1 .npy, 1 .mp4, 1 .svg: give them by name" in told


@pytest.mark.parametrize("source", ["walk_1.jpg", "walk_1.json"])
def test_pictures_of_results_are_no_inputs(tmp_path, caplog, source):
    results = ("walk_1_overlay.png", "walk_1_2_overlay.png", "walk_1_0_side.png", "walk_1.npz")
    fill(tmp_path, source, "sunset_overlay.png", *results[:3])
    expected = [source, "sunset_overlay.png"] if source.endswith("jpg") else ["sunset_overlay.png"]
    assert sorted(path.name for path in list_folder(tmp_path)) == sorted(expected)
    assert "3 picture(s) of results left out" in caplog.messages[0]
    (tmp_path / "sunset_overlay.png").unlink()
    assert [path.name for path in list_folder(tmp_path)] == [source]


def test_numbered_pictures_stay_so_beside_their_results(tmp_path):
    for i in range(10):
        fill(tmp_path, f"shot_{i}.png", f"shot_{i}_overlay.png")
    assert [path.name for path in numbered_frames(tmp_path)] == [f"shot_{i}.png" for i in range(10)]


def test_a_motion_does_not_lie_among_its_keypoints(tmp_path, capsys):
    (tmp_path / "kps").mkdir()
    rng = np.random.default_rng(0)
    np.save(tmp_path / "kps" / "a.npy", rng.uniform(100, 300, (3, 1, 17, 3)) * [1, 1, 0] + [0, 0, 1])
    assert main(["predict", f"{tmp_path}/kps", "-o", f"{tmp_path}", "--track", "--save", "npz"]) == 2
    assert "its results would lie among its own files; give another -o" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "kps").iterdir()] == ["a.npy"]


@pytest.mark.parametrize(
    ("numbers", "gap"),
    [
        ({*range(12)} - {5}, 5),
        ({*range(0, 40, 2)} - {8, 10, 30}, 8),
        (range(12), None),
        ({*range(10)} - {5}, None),  # too few
        ((1, 2, 5, 6, 9, 10, 14, 15, 20, 21, 30), None),  # photos that somebody kept
        ([*range(0, 24, 2), 25], None),
    ],
)
def test_the_picture_that_a_motion_lacks(tmp_path, numbers, gap):
    fill(tmp_path, *(f"shot_{i:03d}.png" for i in numbers))
    assert missing_number(tmp_path) == gap


@pytest.mark.parametrize(
    ("more", "code", "told"),
    [
        (["--track"], 2, "leave out what is of motions"),
        (["--fps", "10"], 2, "leave out what is of motions"),
        (["--save", "mp4,bvh"], 2, "leave out what is of motions"),
        ([], 0, "taken as photos"),
        (["--no-track"], 0, ""),
    ],
)
def test_a_missing_picture_is_told_once(tmp_path, capsys, monkeypatch, more, code, told):
    fill(tmp_path / "fr", *(f"shot_{i:03d}.png" for i in range(12) if i != 5))
    monkeypatch.setattr("pose2mesh.cli.predict.load_model", lambda *_: None)
    monkeypatch.setattr("pose2mesh.cli.predict._predict_frames", lambda *_: None)
    assert main(["predict", f"{tmp_path}/fr", "-o", f"{tmp_path}/out", *more]) == code
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == bool(told) and all("number 5 is missing" in line and told in line for line in lines)
