"""The command on real files, with a network whose answer is known."""

import json
import logging
import os
import subprocess
import sys

import numpy as np
import pytest
from fake_network import FlatNetwork
from PIL import Image

from pose2mesh.cli.main import main
from pose2mesh.cli.writing import FreeNames, safe_stem
from pose2mesh.detectors.video_files import VideoFrame
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.types import Keypoints2D


def person(seed=0):
    rng = np.random.default_rng(seed)
    columns = [rng.uniform(100, 300, 17), rng.uniform(50, 450, 17), rng.uniform(0.5, 1, 17)]
    return np.column_stack(columns).astype(np.float32)


@pytest.fixture(autouse=True)
def _known_network(monkeypatch):
    monkeypatch.setattr(Pose2Mesh, "from_pretrained", lambda *_: Pose2Mesh(FlatNetwork()))


def names(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_keypoints_to_every_format(tmp_path, capsys):
    np.save(tmp_path / "duo.npy", np.stack([person(), person(1)]))
    out, command = tmp_path / "out", ["predict", f"{tmp_path}/duo.npy", "-o", f"{tmp_path}/out", "--save"]
    assert main([*command, "png,npz,obj,ply,glb,json,html"]) == 0
    per_person = [f"duo_{i}.{suffix}" for i in (0, 1) for suffix in ("glb", "json", "obj", "ply")]
    assert names(out) == ["duo.html", "duo.npz", *per_person, "duo_overlay.png"]
    assert capsys.readouterr().out == f"duo: 2 person(s) -> {out}/duo.npz and 10 more\n"
    assert main([*command, "npz,bvh,mp4"]) == 0
    assert capsys.readouterr().out == f"duo: 2 person(s) -> {out}/duo.npz (bvh, mp4: of motions alone)\n"


def test_result_npz_has_the_promised_arrays(tmp_path):
    np.save(tmp_path / "duo.npy", np.stack([person(), person(1)]))
    assert main(["predict", f"{tmp_path}/duo.npy", "-o", f"{tmp_path}/out", "--save", "npz"]) == 0
    with np.load(tmp_path / "out" / "duo.npz") as result:
        assert result["vertices"].shape == (2, 34, 3) and result["faces"].shape == (15, 3)
        np.testing.assert_allclose(result["keypoints"], [person(), person(1)], rtol=1e-6)
        assert result["joints"].shape == (2, 17, 3) and result["joint_names"][0] == "nose"
        projected = [
            f * (j + t)[:, :2] / (j + t)[:, 2:] + c
            for f, c, t, j in zip(
                np.broadcast_to(result["camera_focal"], 2),
                np.broadcast_to(result["camera_center"], (2, 2)),
                result["camera_translation"],
                result["joints"],
                strict=True,
            )
        ]
    np.testing.assert_allclose(projected, [person()[:, :2], person(1)[:, :2]], atol=0.1)


def test_one_bad_input_among_several_is_one_line_and_the_others_go_on(tmp_path, capsys):
    np.save(tmp_path / "good.npy", person())
    (tmp_path / "bad.json").write_text('[{"image_id": 1, "keypoints": [1')
    np.save(tmp_path / "also.npy", person(1))
    inputs = [f"{tmp_path}/{name}" for name in ("bad.json", "good.npy", "gone.jpg", f"{'x' * 300}.jpg", "also.npy")]
    assert main(["predict", *inputs, "-o", f"{tmp_path}/out", "--save", "npz"]) == 2
    assert names(tmp_path / "out") == ["also.npz", "good.npz"]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and all(line.startswith("pose2mesh: error:") for line in lines)
    assert any("gone.jpg" in line for line in lines) and any("bad.json" in line for line in lines)


def test_a_failing_run_leaves_earlier_outputs_alone(tmp_path):
    np.save(tmp_path / "a.npy", person())
    arguments = ["predict", f"{tmp_path}/a.npy", "-o", f"{tmp_path}/out"]
    assert main(arguments) == 0
    before = {name: (tmp_path / "out" / name).read_bytes() for name in names(tmp_path / "out")}
    np.save(tmp_path / "a.npy", np.full((17, 3), np.nan))
    assert main(arguments) == 2
    assert {name: (tmp_path / "out" / name).read_bytes() for name in names(tmp_path / "out")} == before


@pytest.mark.parametrize(
    ("size", "drawn"), [((480, 400), (480, 400)), ((4500, 400), (2250, 200)), ((6300, 420), (2100, 140))]
)
def test_overlay_of_a_photo_has_its_size_or_that_of_a_screen(size, drawn, tmp_path, monkeypatch):
    Image.fromarray(np.zeros((*size, 3), np.uint8)).save(tmp_path / "photo.png")

    class Detector:
        def detect(self, image):
            from pose2mesh.detectors.readers import to_keypoints

            return to_keypoints(person()[None].astype(float), "photo", image_size=image.shape[1::-1])

    monkeypatch.setattr("pose2mesh.pipeline.get_detector", lambda *_: Detector())
    aliases = ["--img_folder", f"{tmp_path}", "--out_folder", f"{tmp_path}/out", "--side_view", "--full_frame"]
    assert main(["predict", *aliases, "--save_mesh"]) == 0
    assert names(tmp_path / "out") == ["photo.npz", "photo_0.obj", "photo_0_side.png", "photo_overlay.png"]
    overlay = np.asarray(Image.open(tmp_path / "out" / "photo_overlay.png"))
    assert overlay.shape == (*drawn, 3)
    assert np.argwhere(overlay.any(-1)).mean(0) / drawn[1] * 400 == pytest.approx((240, 200), abs=110)


def test_equal_names_and_shards_never_share_an_output(tmp_path):
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "walk.npy", person())
    inputs = [f"{tmp_path}/{folder}/walk.npy" for folder in ("a", "b", "c")]
    expected = ["walk.npz", "walk_2.npz", "walk_3.npz"]
    assert main(["predict", *inputs, "-o", f"{tmp_path}/whole", "--save", "npz"]) == 0
    assert names(tmp_path / "whole") == expected
    seen = []
    for shard in ("0/2", "1/2"):
        out = tmp_path / shard.replace("/", "of")
        assert main(["predict", *inputs, "-o", f"{out}", "--save", "npz", "--shard", shard]) == 0
        seen += names(out)
    assert sorted(seen) == expected


def test_names_from_files_stay_inside_the_folder(tmp_path):
    entries = [
        {"image_id": name, "keypoints": person().ravel().tolist(), "score": 1.0}
        for name in ("../../evil.jpg", "/etc/evil.jpg", "a\nb\0c.jpg", "..", "x" * 300, "evil.png")
    ]
    (tmp_path / "k.json").write_text(json.dumps(entries))
    assert main(["predict", f"{tmp_path}/k.json", "-o", f"{tmp_path}/out", "--save", "npz"]) == 0
    assert names(tmp_path) == ["k.json", "out"]
    found = names(tmp_path / "out")
    assert len(found) == 6 and {"evil.npz", "evil_2.npz", "evil_3.npz", "a_b_c.npz"} <= set(found)
    assert safe_stem("..") == "frame"


def coco(*pictures):
    """A keypoint file with one person a picture, told apart by its first coordinate."""
    people = [person(i) for i in range(len(pictures))]
    return json.dumps(
        [
            {"image_id": name, "keypoints": values.ravel().tolist(), "score": 1.0}
            for name, values in zip(pictures, people, strict=True)
        ]
    )


@pytest.mark.parametrize("stem", ["1", "r", "A"])
@pytest.mark.parametrize("shard", ["0/1", "0/2"])
def test_results_never_overwrite_one_another(tmp_path, stem, shard):
    (tmp_path / f"{stem}.json").write_text(coco("a/1.jpg", "b/1.jpg", "c/1.jpg", "a.jpg", "A.jpg"))
    formats = "png,npz,obj,ply,glb,json"
    arguments = ["predict", f"{tmp_path}/{stem}.json", "-o", f"{tmp_path}/out", "--save", formats, "--shard", shard]
    assert main([*arguments, "--side_view"]) == 0
    found = names(tmp_path / "out")
    assert len({name.casefold() for name in found}) == len(found) == 5 * 7
    keypoints = [np.load(tmp_path / "out" / name)["keypoints"] for name in found if name.endswith(".npz")]
    assert sorted(k[0, 0, 0] for k in keypoints) == sorted(person(i)[0, 0] for i in range(5))


def test_names_that_a_file_system_takes_for_one(tmp_path):
    free = FreeNames(tmp_path)
    taken = [free.take(name) for name in ("Stra\u00dfe", "STRASSE", "strasse", "caf\u00e9", "cafe\u0301")]
    assert taken == ["Stra\u00dfe", "STRASSE_2", "strasse_3", "caf\u00e9", "cafe\u0301_2"]


def test_results_never_overwrite_an_input(tmp_path):
    (tmp_path / "b_0.json").write_text(coco("x.jpg"))
    np.savez(tmp_path / "b.npz", keypoints=person())
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    inputs = [f"{tmp_path}/{name}" for name in before]
    assert main(["predict", *inputs, "-o", f"{tmp_path}", "--save", "npz,json"]) == 0
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert len(names(tmp_path)) == 2 + 4


@pytest.mark.parametrize("name", ["\u6f22" * 80, "\u0928\u092e\u0938\u094d\u0924\u0947" * 13, "e\u0301" * 83])
def test_long_names_are_cut_and_stay_apart(tmp_path, name):
    stems = [safe_stem(name + end) for end in ("", "a", "b")]
    assert len(set(stems)) == 3 and all(len(stem.encode()) <= 150 for stem in stems)
    assert stems == [safe_stem(name + end) for end in ("", "a", "b")] and stems[0].startswith(name[:30])
    for stem in (name, "ok"):
        (tmp_path / f"{stem}.json").write_text(coco("x.jpg"))
    inputs = [f"{tmp_path}/{stem}.json" for stem in (name, "ok")]
    assert main(["predict", *inputs, "-o", f"{tmp_path}/out", "--save", "obj,npz"]) == 0
    assert len(names(tmp_path / "out")) == 4


PREDICT = """
import sys
import numpy as np
from fake_network import FlatNetwork
from pose2mesh.cli.main import main
from pose2mesh.detectors.video_files import VideoFrame
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.types import Keypoints2D
Pose2Mesh.from_pretrained = lambda *_: Pose2Mesh(FlatNetwork())
sys.exit(main(["predict", *sys.argv[1:]]))
"""


def start_predict(tmp_path, *stems, encoding="utf-8", **options):
    for stem in stems:
        np.save(tmp_path / f"{stem}.npy", person())
    inputs = [f"{tmp_path}/{stem}.npy" for stem in stems]
    command = [sys.executable, "-c", PREDICT, *inputs, "-o", f"{tmp_path}/out", "--save", "npz"]
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, **options)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_names_that_the_terminal_cannot_show_are_escaped(tmp_path, encoding):
    name = "\u0928\u092e\u0938\u094d\u0924\u0947"
    with start_predict(tmp_path, name, "ok", encoding=encoding, stdout=subprocess.PIPE) as process:
        shown, errors = process.communicate(timeout=120)
    assert process.returncode == 0 and errors == b"" and b"\\u0928" in shown
    assert names(tmp_path / "out") == sorted([f"{name}.npz", "ok.npz"])


def test_a_closed_pipe_stops_the_lines_but_not_the_work(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    with start_predict(tmp_path, "a", "b", "c", stdout=writing) as process:
        os.close(writing)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 0 and errors == b""
    assert names(tmp_path / "out") == ["a.npz", "b.npz", "c.npz"]


def test_a_full_disk_behind_standard_output_is_the_machines_error(tmp_path):
    with open("/dev/full", "wb") as full, start_predict(tmp_path, "a", stdout=full) as process:  # noqa: PTH123
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 3 and errors.count(b"\n") == 1 and b"No space left" in errors


def test_an_output_name_that_is_too_long_is_bad_input(tmp_path, capsys):
    np.save(tmp_path / "a.npy", person())
    assert main(["predict", f"{tmp_path}/a.npy", "-o", f"{tmp_path}/{'x' * 300}"]) == 2
    assert "too long" in (error := capsys.readouterr().err) and error.count("\n") == 1


def test_a_cut_video_warns_in_one_line_and_numbers_are_those_of_the_file(tmp_path, capsys, monkeypatch):
    def frames(path):
        yield VideoFrame(3, 0.3, np.zeros((64, 64, 3), np.uint8))
        yield VideoFrame(7, 0.7, np.zeros((64, 64, 3), np.uint8))
        logging.getLogger("pose2mesh").warning("8 of 10 frames\nwere lost")

    monkeypatch.setattr("pose2mesh.pipeline.read_video", frames)
    found = Keypoints2D(person()[None, :, :2], person()[None, :, 2], "coco17", (64, 64))
    monkeypatch.setattr(Pose2Mesh, "_detect", lambda *_: found)
    (tmp_path / "walk.mp4").touch()
    assert main(["predict", f"{tmp_path}/walk.mp4", "-o", f"{tmp_path}/out", "--save", "npz", "--no-track"]) == 0
    assert names(tmp_path / "out") == ["walk_000003.npz", "walk_000007.npz"]
    assert capsys.readouterr().err == "pose2mesh: warning: 8 of 10 frames were lost\n"


BAD_ARGUMENTS = [
    (["predict"], "-o"),
    (["predict", "-o", "OUT"], "no input"),
    (["predict", "IN", "-o", "OUT", "--min-score", "nan"], "from 0 to 1"),
    (["predict", "IN", "-o", "OUT", "--save", "mp4,bvh"], "mp4, bvh belong to motions"),
    (["predict", "IN", "-o", "OUT", "--save", "mp4", "--no-track"], "motions; --no-track recovers frame by frame"),
    (["predict", "IN", "-o", "IN"], "is a file"),
    (["predict", "IN", "-o", "OUT", "--save", "fbx"], "fbx"),
    (["predict", "IN", "-o", "OUT", "--shard", "4/4"], "4/4"),
    (["predict", "IN", "-o", "OUT", "--shard", "half"], "half"),
    (["predict", "IN", "-o", "OUT", "--batch-size", "0"], "batch-size"),
    (["predict", "IN", "-o", "OUT", "--joint-set", "dog12"], "dog12"),
    (["predict", "IN", "-o", "OUT", "--detector", "yolo"], "yolo"),
    (["predict", "IN", "-o", "OUT", "--subject", "age=8", "--no-fit"], "--no-fit"),
]


@pytest.mark.parametrize(("arguments", "named"), BAD_ARGUMENTS)
def test_wrong_arguments_are_one_line(tmp_path, capsys, arguments, named):
    np.save(tmp_path / "in.npy", person())
    places = {"IN": f"{tmp_path}/in.npy", "OUT": f"{tmp_path}/out"}
    assert main([places.get(argument, argument) for argument in arguments]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and named in lines[0]
    assert not (tmp_path / "out").exists()


def test_overlays_by_choice(tmp_path):
    np.save(tmp_path / "solo.npy", person()[None])
    sizes = {}
    for style in ("blend", "solid", "beside"):
        command = ["predict", f"{tmp_path}/solo.npy", "-o", f"{tmp_path}/{style}", "--save", "png", "--overlay", style]
        assert main([*command, "--draw-keypoints"]) == 0
        picture = np.array(Image.open(tmp_path / style / "solo_overlay.png"))
        sizes[style] = picture.shape[1]
        x, y = person()[0, :2].astype(int)
        assert (picture[y, x] == 255).all() and (picture[:, : sizes["blend"]] < 255).any()  # a white joint, bones
    assert sizes["beside"] == 2 * sizes["solid"] == 2 * sizes["blend"]
    assert main(["predict", f"{tmp_path}/solo.npy", "-o", f"{tmp_path}/no", "--overlay", "opaque"]) == 2
