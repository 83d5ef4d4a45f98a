"""What a researcher does with a published checkpoint, from the documented folders: convert it, test it, predict.

The checkpoints are made up, with the published names and shapes; so are bodies and datasets. What comes out is compared
with the release's arithmetic from pixels to vertices and with the datasets' evaluations, both restated in numpy.
"""

import dataclasses
import json
import sys
from pathlib import Path

import annotation_files as written
import numpy as np
import pytest
from annotation_bodies import write_bodies
from annotation_pw3d import write_pw3d
from protocol_numbers import aligned, body_errors, distances, mean_mm
from protocol_people import (
    body_model,
    freihand_people,
    human36m_people,
    pw3d_people,
    regressors,
    surreal_people,
)

sys.path.append(str(Path(__file__).resolve().parents[1] / "checkpoints"))
from official_files import random_state, shapes, write_official
from original_network import graphs, meshnet, posenet, release_input, skeleton_graph

from pose2mesh import paths
from pose2mesh.checkpoints import official
from pose2mesh.cli.main import main
from pose2mesh.networks.meshnet import narrowed

# kind: (configuration, folder of the dataset, its people, evaluated joints of the lifter, root among the joints)
CHAINS = {
    "human36": ("human36m", "Human36M", human36m_people, [1, 2, 3, 4, 5, 6, 8, 10, 11, 12, 13, 14, 15, 16], 0),
    "coco": ("3dpw", "PW3D", pw3d_people, list(range(19)), 17),
    "smpl": ("surreal", "SURREAL", surreal_people, list(range(24)), 0),
    "mano": ("freihand", "FreiHAND", freihand_people, list(range(21)), 0),
}
OF_SMPL = ("human36", "coco", "smpl")
SIZES = [("mano", "published"), *((kind, "narrow") for kind in OF_SMPL)]
SIZES += [pytest.param(kind, "published", marks=pytest.mark.slow) for kind in OF_SMPL]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory):
    """models/ and data/ as docs/data.md lays them out; two people or four in each test set."""
    folder = tmp_path_factory.mktemp("research")
    write_bodies(folder / "models")
    written.write_human36m(folder / "data" / "Human36M", subjects=(9, 11), frames=(0,), cameras=(4,))
    write_pw3d(folder / "data" / "PW3D", ("test",), frames=1)
    written.write_surreal(folder / "data" / "SURREAL", pictures=2)
    written.write_freihand(folder / "data" / "FreiHAND", pictures=2)
    return folder


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(place)
    monkeypatch.delenv("POSE2MESH_MODELS", raising=False)
    return place


def make_known(monkeypatch: pytest.MonkeyPatch, kind: str, size: str) -> official.Variant:
    """The variant without SMPL's digests, which a made-up surface cannot have; narrow: few channels, for speed."""
    variant = official.VARIANTS[kind]
    mesh = dataclasses.replace(variant.mesh, permutation_sha1=None, inverse_sha1=None)
    variant = dataclasses.replace(variant, mesh=mesh)
    if size == "narrow":
        variant = dataclasses.replace(variant, width=32, plan=narrowed(variant.plan, 8))
    monkeypatch.setitem(official.VARIANTS, kind, variant)
    return variant


def converted(kind: str, state: dict, folder: Path) -> Path:
    checkpoint, out = write_official(folder / "final.pth.tar", state, is_old_format=False), folder / "w.safetensors"
    assert main(["convert-checkpoint", str(checkpoint), "--kind", kind, "-o", str(out)]) == 0
    return out


def measured(kind: str, weights: Path, capsys: pytest.CaptureFixture[str]) -> tuple[dict, list[float]]:
    """The metrics as written and the first row of the table as printed."""
    config, out = CHAINS[kind][0], weights.parent / "m.json"
    capsys.readouterr()
    arguments = [f"weights={weights}", "device=cpu", "batch_size=2", "--json", str(out)]
    assert main(["test", "--config", str(paths.asset(f"configs/test_{config}.yaml")), *arguments]) == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith(f"{config} ")]
    return json.loads(out.read_text())[config], [float(cell.replace("-", "nan")) for cell in row.split()[1:]]


def computed(state: dict, keypoints: np.ndarray, variant: official.Variant) -> tuple[np.ndarray, np.ndarray]:
    """Meshes [P, V, 3] and lifted joints [P, J, 3] m of keypoints [P, J, 3], by the release's arithmetic."""
    weights = {name: value.numpy() for name, value in state.items()}
    lifter, mesher = (
        {name.removeprefix(part): value for name, value in weights.items() if name.startswith(part)}
        for part in ("pose_lifter.", "pose2mesh.")
    )
    pose = release_input(keypoints[..., :2])
    joints = posenet(lifter, pose) / 1000
    if not mesher:
        return np.zeros(0), joints
    faces = body_model(variant.mesh.body).faces.numpy()
    order = official.build_graph(faces, variant).permutation
    operators = [skeleton_graph(variant.joints), *reversed(graphs(faces, order, len(variant.plan) - 2))]
    inverse = np.argsort(order)[: variant.mesh.vertices]
    return meshnet(mesher, np.concatenate([pose, joints], -1), operators, variant.plan, inverse), joints


def expected_mm(kind: str, meshes: np.ndarray, people: list) -> dict[str, float]:
    if kind != "mano":
        pairs = zip(meshes, people, strict=True)
        rows = [body_errors(mesh, one.mesh, *regressors(), one.measured) for mesh, one in pairs]
        values = mean_mm(rows)
        return values | {name: values[f"smpl_{name}"] for name in ("mpjpe", "pa_mpjpe") if kind == "smpl"}
    return mean_mm([hand_errors(mesh, one) for mesh, one in zip(meshes, people, strict=True)])


def hand_errors(mesh: np.ndarray, one) -> dict[str, float]:
    """With the joints that the release reads off a hand's mesh: MANO's by finger, tips as single vertices."""
    bones = body_model("mano-right").J_regressor.double().numpy() @ mesh
    tips = mesh[[745, 317, 445, 556, 673]]
    fingers = [(13, 14, 15), (1, 2, 3), (4, 5, 6), (10, 11, 12), (7, 8, 9)]  # thumb to pinky
    joints = np.vstack([bones[:1], *(np.vstack([bones[[*f]], tip]) for f, tip in zip(fingers, tips, strict=True))])
    return {
        "pa_mpjpe": distances(aligned(joints, one.joints), one.joints).mean(),
        "mpjpe": distances(joints - joints[0], one.joints - one.joints[0]).mean(),
        "pa_mpvpe": distances(aligned(mesh, one.mesh), one.mesh).mean(),
        "mpvpe": distances(mesh - joints[0], one.mesh - one.joints[0]).mean(),
    }


@pytest.mark.parametrize(("kind", "size"), SIZES)
def test_a_checkpoint_is_converted_tested_and_predicts(kind, size, here, monkeypatch, tmp_path, capsys) -> None:
    variant, (_, folder, people_of, _, _) = make_known(monkeypatch, kind, size), CHAINS[kind]
    people = list(people_of(here / "data" / folder))
    keypoints = np.stack([one.keypoints for one in people])
    state = random_state(shapes(keypoints.shape[1], variant.mesh.coarsest, variant.plan, variant.width))
    weights = converted(kind, state, tmp_path)
    assert f"graph of {variant.mesh.finest} rows" in capsys.readouterr().out
    meshes, _ = computed(state, keypoints, variant)
    expected = expected_mm(kind, meshes, people)

    values, printed = measured(kind, weights, capsys)
    names = ("pa_mpjpe", "mpjpe", "pa_mpvpe", "mpvpe")
    assert values["count"] == printed[4] == len(people)
    for name, number in zip(names, printed, strict=False):
        assert values[name] == pytest.approx(expected[name], rel=1e-5, abs=0.01), name
        assert number == pytest.approx(expected[name], abs=0.06), name
    assert min(expected[name] for name in names) > 5  # millimetres: random weights

    file, out = tmp_path / "pose.npy", tmp_path / "out"
    np.save(file, keypoints[0][:, :2])
    options = ["--joint-set", variant.joints, "--save", "npz", "--device", "cpu", "-o", str(out)]
    options += ["--kind", "hand", "--handedness", "right"] if kind == "mano" else []
    assert main(["predict", str(file), "--weights", str(weights), *options]) == 0
    with np.load(out / "pose.npz") as written_arrays:
        (found,) = written_arrays["vertices"]
    np.testing.assert_allclose(found, meshes[0], rtol=0, atol=1e-5 * max(1, np.abs(meshes[0]).max()))


@pytest.mark.parametrize("kind", CHAINS)
def test_posenet_alone_is_converted_and_tested(kind, here, monkeypatch, tmp_path, capsys) -> None:
    variant, (_, folder, people_of, counted, root) = make_known(monkeypatch, kind, "narrow"), CHAINS[kind]
    people = list(people_of(here / "data" / folder))
    keypoints = np.stack([one.keypoints for one in people])
    whole = random_state(shapes(keypoints.shape[1], variant.mesh.coarsest, variant.plan, variant.width))
    whole["pose_lifter.w2.weight"] *= 300  # random joints some 30 cm apart: PoseNet's unit is the millimetre
    state = {name: value for name, value in whole.items() if name.startswith("pose_lifter.")}
    weights = converted(kind, {name.removeprefix("pose_lifter."): value for name, value in state.items()}, tmp_path)
    _, joints = computed(state, keypoints, variant)
    rows = []
    for ours, one in zip(joints, people, strict=True):
        ours, true = (points[counted] - points[root] for points in (ours, one.joints))
        rows.append({"mpjpe": distances(ours, true).mean(), "pa_mpjpe": distances(aligned(ours, true), true).mean()})
    values, printed = measured(kind, weights, capsys)
    for name, number in zip(("pa_mpjpe", "mpjpe"), printed, strict=False):
        assert values[name] == pytest.approx(mean_mm(rows)[name], abs=0.01) == pytest.approx(number, abs=0.06)
    assert "mpvpe" not in values and values["count"] == len(people)

    np.save(tmp_path / "pose.npy", keypoints[0])
    options = ["--weights", str(weights), "--joint-set", variant.joints, "-o", str(tmp_path / "out")]
    assert main(["predict", str(tmp_path / "pose.npy"), *options]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "w.safetensors holds PoseNet alone" in error and "both stages" in error
