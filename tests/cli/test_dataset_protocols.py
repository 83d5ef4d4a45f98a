"""`pose2mesh test` on annotation files in the published formats, against the evaluations restated in numpy."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from annotation_bodies import write_bodies
from annotation_files import write_freihand, write_human36m, write_surreal
from annotation_pw3d import write_pw3d
from protocol_numbers import EVALUATED, aligned, body_errors, distances, mean_mm
from protocol_people import (
    body_model,
    freihand_people,
    human36m_people,
    pw3d_people,
    regressors,
    surreal_people,
)
from small_weights import write_small_weights

from pose2mesh import paths
from pose2mesh.checkpoints import load_network
from pose2mesh.cli.main import main

COMMON = ["batch_size=3", "device=cpu"]


@pytest.fixture(scope="module", autouse=True)
def _bodies(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSE2MESH_MODELS", str(write_bodies(tmp_path_factory.mktemp("models"))))
        yield


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory):
    """Weights of a joint set, for SMPL unless told otherwise."""
    folder = tmp_path_factory.mktemp("weights")
    return lambda joints, body="smpl-neutral": write_small_weights(folder, joints, body)


def write_few_human36m(folder: Path) -> Path:
    return write_human36m(folder, subjects=(9, 11), frames=(0,), cameras=(4,))


def run(name: str, folder: Path, file: Path, out: Path, *overrides: str) -> dict:
    config = str(paths.asset(f"configs/test_{name}.yaml"))
    arguments = [f"data.folder={folder}", f"weights={file}", *COMMON, *overrides, "--json", str(out / "m.json")]
    assert main(["test", "--config", config, *arguments]) == 0
    (values,) = json.loads((out / "m.json").read_text()).values()
    return values


def predicted(file: Path, keypoints: np.ndarray) -> np.ndarray:
    """Meshes [P, V, 3] of keypoints [P, J, 3]; confidences beyond 1, as made-up files hold them, are cut there."""
    keypoints = np.concatenate([keypoints[..., :2], keypoints[..., 2:].clip(0, 1)], -1)
    with torch.inference_mode():
        return load_network(file)(torch.tensor(keypoints, dtype=torch.float32)).vertices.double().numpy()


@pytest.fixture(scope="module")
def pw3d(tmp_path_factory: pytest.TempPathFactory, weights) -> tuple[Path, list[dict], list]:
    """The folder, the errors of its six people one by one, and their evaluated joints."""
    folder = write_pw3d(tmp_path_factory.mktemp("PW3D"), ("test",))
    people = list(pw3d_people(folder))
    meshes, rows, joints = predicted(weights("coco19"), np.stack([one.keypoints for one in people])), [], []
    for mesh, one in zip(meshes, people, strict=True):
        rows.append(body_errors(mesh, one.mesh, *regressors()))
        joints.append([regressors()[0] @ surface for surface in (mesh, one.mesh)])
    return folder, rows, joints


def test_3dpw_by_the_original(pw3d, weights, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, rows, joints = pw3d
    values = run("3dpw", folder, weights("coco19"), tmp_path, "smoothing={min_cutoff: 0.004, beta: 0.005}")
    expected = mean_mm(rows)
    assert values["count"] == 6 and values["convention"] == "original" and values["input"] == "detections"
    for name in ("mpjpe", "pa_mpjpe", "mpvpe", "pa_mpvpe", "smpl_mpjpe"):
        assert values[name] == pytest.approx(expected[name], abs=0.01), name
        assert expected[name] > 10  # millimetres, from weights that know nothing
    assert expected["mpvpe"] != pytest.approx(expected["mpvpe_by_joints"], abs=0.5)
    said = capsys.readouterr().out
    assert "measured 6 of the 35515 people" in said and f"{expected['mpjpe']:.1f}" in said
    (row, acceleration) = [line.split() for line in said.splitlines() if "(smoothed)" in line]
    smoothed = values["smoothed"]
    assert row == ["(smoothed)", f"{smoothed['pa_mpjpe']:.1f}", f"{smoothed['mpjpe']:.1f}", "-", "-", "6"]
    assert acceleration == ["acceleration", "(smoothed)", f"{smoothed['acceleration']:.3f}"] and "nan" not in said
    # Two people of three frames: one second difference each.
    relative = [[(j - j[0])[EVALUATED] for j in pair] for pair in joints]
    errors = []
    for person in (0, 1):
        ours, true = (np.array([pair[i] for pair in relative[person::2]]) for i in (0, 1))  # [3, 14, 3]
        errors.append(distances(ours[0] - 2 * ours[1] + ours[2], true[0] - 2 * true[1] + true[2]).mean())
    assert values["acceleration"] == pytest.approx(1000 * np.mean(errors), abs=0.01)
    assert values["smoothed"].keys() == {"pa_mpjpe", "mpjpe", "acceleration"}
    assert values["smoothed"]["mpjpe"] != pytest.approx(values["mpjpe"], abs=0.01)


def test_3dpw_by_todays_convention(pw3d, weights, tmp_path: Path) -> None:
    folder, rows, _ = pw3d
    values = run("3dpw", folder, weights("coco19"), tmp_path, "convention=current")
    expected = mean_mm(rows)
    assert values["mpvpe"] == pytest.approx(expected["mpvpe_by_joints"], abs=0.01)
    assert values["mpjpe"] == pytest.approx(expected["mpjpe"], abs=0.01)


def test_human36m_measures_against_the_datasets_joints(weights, tmp_path: Path) -> None:
    folder = write_human36m(tmp_path, subjects=(9, 11), frames=(0, 1, 50), cameras=(1, 4))
    people = list(human36m_people(folder))
    meshes = predicted(weights("human36m17"), np.stack([one.keypoints for one in people]))
    rows: dict[int, list] = {1: [], 4: []}
    for mesh, one in zip(meshes, people, strict=True):
        rows[one.camera].append(body_errors(mesh, one.mesh, *regressors(), one.measured))
    for convention, wanted in (("original", rows[1] + rows[4]), ("current", rows[4])):
        values = run("human36m", folder, weights("human36m17"), tmp_path, f"convention={convention}")
        assert values["count"] == len(wanted) == (16 if convention == "original" else 8)
        for name in ("mpjpe", "pa_mpjpe", "mpvpe", "pa_mpvpe", "smpl_mpjpe"):
            assert values[name] == pytest.approx(mean_mm(wanted)[name], abs=0.01), name
    assert set(values["groups"]) == {"Directions", "Discussion"}


def test_surreal_measures_smpls_joints(weights, tmp_path: Path) -> None:
    folder = write_surreal(tmp_path)
    people = list(surreal_people(folder))
    meshes = predicted(weights("smpl24"), np.stack([one.keypoints for one in people]))
    rows = [body_errors(mesh, one.mesh, *regressors()) for mesh, one in zip(meshes, people, strict=True)]
    values, expected = run("surreal", folder, weights("smpl24"), tmp_path), mean_mm(rows)
    assert values["mpjpe"] == values["smpl_mpjpe"] == pytest.approx(expected["smpl_mpjpe"], abs=0.01)
    assert values["mpvpe"] == pytest.approx(expected["mpvpe"], abs=0.01)


def test_true_2d_joints_instead_of_detections(weights, tmp_path: Path) -> None:
    """SURREAL's true 2D joints are SMPL's, projected; a focal length and a center are all its camera has."""
    folder = write_surreal(tmp_path, pictures=1)
    (person,) = surreal_people(folder)
    pixels = person.joints[:, :2] / person.joints[:, 2:] * 600 + [160, 120]
    mesh = predicted(weights("smpl24"), np.column_stack([pixels, np.ones(24)])[None])[0]
    expected = 1000 * body_errors(mesh, person.mesh, *regressors())["mpvpe"]
    values = run("surreal", folder, weights("smpl24"), tmp_path, "input=truth")
    assert values["mpvpe"] == pytest.approx(expected, abs=0.05) and values["input"] == "truth"


@pytest.mark.parametrize(
    ("name", "write", "joints", "body"),
    [
        ("human36m", write_few_human36m, "human36m17", "smpl-neutral"),
        ("3dpw", write_pw3d, "coco19", "smpl-neutral"),
        ("surreal", write_surreal, "smpl24", "smpl-neutral"),
        ("freihand", write_freihand, "hand21", "mano-right"),
    ],
)
def test_true_2d_joints_need_no_files_of_detections(weights, tmp_path: Path, capsys, name, write, joints, body) -> None:
    folder = write(tmp_path)
    for path in folder.rglob("*_output*"):  # absnet, darkpose, hrnet
        path.unlink()
    file = weights(joints, body)
    assert run(name, folder, file, tmp_path, "input=truth")["count"] > 0
    arguments = [f"data.folder={folder}", f"weights={file}", *COMMON]
    assert main(["test", "--config", str(paths.asset(f"configs/test_{name}.yaml")), *arguments]) == 2
    assert "_output" in capsys.readouterr().err


@pytest.mark.parametrize(("convention", "tip", "unit"), [("original", 445, 1000.0), ("current", 443, 1.0)])
def test_freihand_and_the_servers_file(weights, tmp_path: Path, convention: str, tip: int, unit: float) -> None:
    folder, file = write_freihand(tmp_path / "FreiHAND"), weights("hand21", "mano-right")
    people = list(freihand_people(folder))
    meshes = predicted(file, np.stack([one.keypoints for one in people]))
    truth = [[one.joints for one in people], [one.mesh for one in people]]
    answer = tmp_path / "pred.json"
    values = run("freihand", folder, file, tmp_path, f"convention={convention}", "--predictions", str(answer))
    joints, vertices = (np.array(part) for part in json.loads(answer.read_text()))
    assert joints.shape == (4, 21, 3) and vertices.shape == (4, 778, 3)
    np.testing.assert_allclose(vertices, unit * meshes, atol=1e-3 * unit / 1000)
    np.testing.assert_allclose(joints[:, 12], vertices[:, tip])  # the tip of the middle finger
    mano = body_model("mano-right").J_regressor.double().numpy()
    np.testing.assert_allclose(joints[:, 0], np.einsum("v,bvi->bi", mano[0], vertices), atol=1e-4 * unit)
    for name, ours, true in (("pa_mpjpe", joints, truth[0]), ("pa_mpvpe", vertices, truth[1])):
        each = [distances(aligned(a / unit, b), b).mean() for a, b in zip(ours, true, strict=True)]
        assert values[name] == pytest.approx(1000 * np.mean(each), abs=0.01), name
    assert 0 <= values["f_at_5"] <= values["f_at_15"] <= 1 and 0 <= values["auc"] <= 1
    assert values["expected"] == 3960


@pytest.mark.parametrize("missing", [("xyz", "verts"), ("verts",)])
def test_freihand_before_the_ground_truth_is_there(weights, tmp_path: Path, capsys, missing) -> None:
    folder, file = write_freihand(tmp_path / "FreiHAND"), weights("hand21", "mano-right")
    gone = [folder / "data" / f"evaluation_{name}.json" for name in missing]
    for path in gone:
        path.unlink()
    values = run("freihand", folder, file, tmp_path, "--predictions", str(tmp_path / "pred.json"))
    assert values["count"] == 0 and "pa_mpvpe" not in values
    assert len(json.loads((tmp_path / "pred.json").read_text())[1]) == 4
    said = capsys.readouterr().out
    assert "nan" not in said and said.count("\n") == 1 and all(str(path) in said for path in gone)
    arguments = [f"data.folder={folder}", f"weights={file}", *COMMON]
    for more in ([], ["input=truth", "--predictions", str(tmp_path / "other.json")]):
        assert main(["test", "--config", str(paths.asset("configs/test_freihand.yaml")), *arguments, *more]) == 2
        error = capsys.readouterr().err
        assert all(str(path) in error for path in gone) and "FreiHAND's page" in error and error.count("\n") == 1
        assert ("xyz" in error) == ("xyz" in missing)


def test_freihand_with_its_ground_truth_in_two_places(weights, tmp_path: Path) -> None:
    folder, file = write_freihand(tmp_path / "FreiHAND"), weights("hand21", "mano-right")
    (folder / "data" / "evaluation_xyz.json").rename(folder / "evaluation_xyz.json")
    assert run("freihand", folder, file, tmp_path)["count"] == 4


@pytest.mark.parametrize("option", ["--predictions", "--json"])
def test_a_place_that_cannot_be_written_is_told_before_measuring(tmp_path: Path, capsys, option: str) -> None:
    (tmp_path / "file").touch()
    config = str(paths.asset("configs/test_freihand.yaml"))
    for place in (tmp_path, tmp_path / "file" / "m.json"):  # neither data nor weights are looked at
        code = main(["test", "--config", config, "data.folder=nowhere", "weights=nowhere", option, str(place)])
        assert code == 2
        assert str(place) in capsys.readouterr().err


def lose_entry(folder: Path) -> None:
    path = folder / "data" / "3DPW_latest_test.json"
    content = json.loads(path.read_text())
    del content["images"][1]["cam_param"]
    path.write_text(json.dumps(content))


def truncate(folder: Path) -> None:
    path = folder / "data" / "darkpose_3dpw_testset_output.json"
    path.write_text(path.read_text()[:500])


@pytest.mark.parametrize(
    ("harm", "overrides", "words"),
    [
        (lose_entry, [], ["3DPW_latest_test.json", "images[1]", "cam_param", "docs/data.md"]),
        (truncate, [], ["darkpose_3dpw_testset_output.json", "docs/data.md"]),
        (None, ["data.folder=nowhere"], ["3DPW_latest_test.json", "docs/data.md"]),
        (None, ["data.folder="], ["data.folder"]),
        (None, ["weights=anny-body"], ["13718 vertices", "6890", "smpl-neutral"]),
        (None, ["weights=HUMAN36"], ["coco17", "torso", "input=truth"]),
        (None, ["protocol=surreal", "smoothing={}"], ["surreal", "smoothing"]),
        (None, ["--predictions", "pred.json"], ["--predictions", "protocol=freihand"]),
    ],
    ids=["camera", "truncated", "folder", "no folder", "mesh", "joints", "smoothing", "predictions"],
)
def test_faults_are_one_line(weights, tmp_path: Path, capsys, harm, overrides, words) -> None:
    folder = write_pw3d(tmp_path, ("test",))
    if harm:
        harm(folder)
    overrides = [o.replace("HUMAN36", str(weights("human36m17"))) for o in overrides]
    config = str(paths.asset("configs/test_3dpw.yaml"))
    base = [f"data.folder={folder}", f"weights={weights('coco19')}", *COMMON]
    assert main(["test", "--config", config, *base, *overrides]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("pose2mesh: error:")
    assert all(word in error for word in words), error
