"""`predict` with the parameter network: rotations and shape in the files, refining, and what cannot be refined."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_adaptation import people

from pose2mesh import paths
from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints import find_weights
from pose2mesh.cli.main import main
from pose2mesh.detectors import sources
from pose2mesh.exporters import load_people
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.skeletons import joint_set


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parameters")
    np.save(folder / "two.npy", people(2))
    arguments = [str(folder / "two.npy"), "--weights", "anny-key2mesh", "--save", "npz,json"]
    assert main(["predict", *arguments, "--no-fit", "-o", str(folder / "plain")]) == 0
    assert main(["predict", *arguments, "--refine", "-o", str(folder / "refined")]) == 0
    return folder


def found(folder: Path, kind: str) -> list:
    (file,) = (folder / kind).rglob("two.npz")
    return load_people(file)


def test_the_parameters_are_saved_and_make_the_mesh(results: Path):
    first, second = found(results, "plain")
    assert first.parameters["rotations"].shape == (19, 3, 3) and second.parameters["betas"].shape == (16,)
    body = load_anny_body()
    rotations = torch.from_numpy(np.stack([p.parameters["rotations"] for p in (first, second)]))
    betas = torch.from_numpy(np.stack([p.parameters["betas"] for p in (first, second)]))
    vertices = body(betas, body.expand_pose(rotations)).vertices
    joints = torch.as_tensor(body.joint_regressor("coco19"), dtype=torch.float32) @ vertices
    expected = (vertices - joints[:, 17:18]).numpy()
    np.testing.assert_allclose(np.stack([first.vertices, second.vertices]), expected, atol=1e-4)


def test_json_holds_them_too(results: Path):
    records = [json.loads(path.read_text()) for path in (results / "plain").rglob("*.json")]
    texts = json.dumps(records)
    assert "rotations" in texts and "betas" in texts


def test_refining_brings_the_joints_nearer_to_the_keypoints(results: Path):
    def error(person) -> float:
        points = person.camera.project(person.joints[:17])
        rows = [joint_set("union48").index(name) for name in person.joint_names[:17]]
        return float(np.linalg.norm(points - person.keypoints[rows, :2], axis=1).mean())

    for before, after in zip(found(results, "plain"), found(results, "refined"), strict=True):
        assert error(after) < error(before)


def test_what_cannot_be_refined_is_said(tmp_path: Path, capsys: pytest.CaptureFixture):
    np.save(tmp_path / "one.npy", people(1))
    arguments = ["predict", str(tmp_path / "one.npy"), "--refine", "-o", str(tmp_path / "out")]
    assert main([*arguments, "--weights", "anny-body"]) == 2
    assert "anny-key2mesh" in capsys.readouterr().err
    assert main([*arguments, "--kind", "hand"]) == 2


def test_the_shipped_weights_are_small():
    assert find_weights("anny-key2mesh").stat().st_size <= 16_000_000


def test_motions_of_refined_answers(tmp_path: Path):
    frames = [{"image_id": f"{i:06d}.png", "category_id": 1, "score": 1.0} for i in range(4)]
    for i, (frame, person) in enumerate(zip(frames, np.repeat(people(1), 4, 0), strict=True)):
        frame["keypoints"] = (person + np.array([i, 0, 0])).ravel().tolist()
    (tmp_path / "walk.json").write_text(json.dumps(frames))
    model = Pose2Mesh.from_pretrained("anny-key2mesh").refined()
    motion = model.motion(tmp_path / "walk.json", image_size=(1000, 1000))
    assert motion.frame.tolist() == [0, 1, 2, 3] and np.isfinite(motion.joints).all()


def test_inputs_may_stand_on_both_sides_of_options(tmp_path):
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", people(1))
    assert main(["predict", f"{tmp_path}/a.npy", "-o", f"{tmp_path}/out", f"{tmp_path}/b.npy", "--save", "npz"]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.npz", "b.npz"]


def test_a_folder_that_may_not_be_listed_is_told_and_the_others_go_on(tmp_path, monkeypatch, capsys):
    np.save(tmp_path / "a.npy", people(1))
    (tmp_path / "closed").mkdir()

    listed = os.scandir

    def refuse(path="."):
        if Path(path).name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(sources.os, "scandir", refuse)  # the superuser may list everything
    assert main(["predict", f"{tmp_path}/closed", f"{tmp_path}/a.npy", "-o", f"{tmp_path}/out", "--save", "npz"]) == 2
    assert capsys.readouterr().err == f"pose2mesh: error: {tmp_path}/closed: cannot be read (Permission denied)\n"
    assert (tmp_path / "out" / "a.npz").is_file()


@pytest.mark.parametrize("command", ["predict {}/a.npy", "demo"])
def test_a_place_for_no_results_is_told_before_the_work(tmp_path, monkeypatch, capsys, command):
    monkeypatch.setattr(Pose2Mesh, "from_pretrained", lambda *_: pytest.fail("it began"))
    np.save(tmp_path / "a.npy", people(1))
    (tmp_path / "file").touch()
    file, closed = "is a file, not a folder; name another", "may not be written to; name another"
    for out, fault in (("file", file), ("file/below", file), ("closed/below", closed)):
        if fault == closed:
            monkeypatch.setattr(paths.os, "access", lambda path, mode: Path(path) != tmp_path)
        assert main([*command.format(tmp_path).split(), "-o", f"{tmp_path}/{out}"]) == 2
        shown = capsys.readouterr().err
        assert f"-o {tmp_path}/{out}: " in shown and fault in shown
