"""Training and testing of hands as commands: the free hand in every variant, MANO from a made-up file."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from protocol_numbers import distances
from scipy.spatial import ConvexHull
from synthetic_models import arrays

from pose2mesh.body_models import load_body_model, load_hand_body
from pose2mesh.body_models.licensed_files import MANO
from pose2mesh.checkpoints import load_network
from pose2mesh.cli.main import main
from pose2mesh.npz import write_arrays
from pose2mesh.synthesis.hands import HandProtocol

COMPACT = {
    "joint_set": "hand21",
    "body": "anny-hand",
    "lifter": {"width": 48, "blocks": 1},
    "mesh": {"hierarchy": "anny_hand", "channels": [8, 8], "blocks": [1, 1], "latent": 8},
}
FEW_POSES = {"gestures": ["basic"], "hand_poses": {"count": 64}}
LIFTING = {"name": "lifting", "steps": 6, "batch_size": 32, "warmup": 1, "lifting_only": True}
MESH = {"name": "mesh", "steps": 3, "batch_size": 8, "warmup": 1, "loss": {"normal": 0.1, "edge": 1.0}}


def write_config(folder: Path, **changes) -> Path:
    """JSON is YAML."""
    run = {"network": COMPACT, "data": FEW_POSES, "stages": [LIFTING, MESH], "validation": [], "threads": 1}
    path = folder / "train.yaml"
    path.write_text(json.dumps({**run, "output": str(folder / "run"), **changes}))
    return path


def train(folder: Path, **changes) -> Path:
    assert main(["train", "--config", str(write_config(folder, **changes))]) == 0
    return folder / "run" / "weights.safetensors"


def measure(weights: Path, folder: Path, *overrides: str) -> dict:
    config = folder / "test.yaml"
    config.write_text("protocol: hand\nlimit: 6\nbatch_size: 3\n")
    assert (
        main(["test", "--config", str(config), f"weights={weights}", *overrides, "--json", str(folder / "o.json")]) == 0
    )
    return json.loads((folder / "o.json").read_text())


def test_train_and_test(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pose2mesh.training.samplers.VALIDATION_SAMPLES", 6)
    weights = train(tmp_path, validation=["signs"], validate_every=100, data={**FEW_POSES, "children": 0.5})
    metrics = measure(weights, tmp_path)
    assert "f_at_5" in capsys.readouterr().out
    for kind in ("clean", "noisy"):
        values = metrics[kind]
        assert values["count"] == 6 and set(values["groups"]) <= {"grasps", "letters"}
        assert 0 <= values["f_at_5"] <= values["f_at_15"] <= 1 and 0 <= values["auc"] <= 1
        assert 0 < values["pa_mpvpe"] < values["mpvpe"]  # millimetres
    line = json.loads((tmp_path / "run" / "validation.jsonl").read_text().splitlines()[-1])
    assert line["motion"] == "signs" and "clean_f_at_15" in line


def best_constant(truth: np.ndarray) -> float:
    """Mean distance in mm of points [B, N, 3] from the answer that suits all of them best, their geometric medians."""
    middle = truth.mean(0)
    for _ in range(50):  # Weiszfeld
        weight = 1 / np.linalg.norm(truth - middle, axis=-1, keepdims=True).clip(1e-6)
        middle = (weight * truth).sum(0) / weight.sum(0)
    return 1000 * distances(middle, truth).mean()


def test_it_learns(tmp_path: Path) -> None:
    """Joints and mesh of unseen gestures come out nearer than anything does that does not look at the keypoints."""
    stages = [
        {**LIFTING, "steps": 150, "batch_size": 128, "learning_rate": 5e-3, "warmup": 10},
        {**MESH, "steps": 60, "learning_rate": 2e-3, "warmup": 5},
    ]
    found = measure(train(tmp_path, stages=stages, ema_decay=0.9), tmp_path, "limit=24")["clean"]
    (truth,) = HandProtocol(load_hand_body(), limit=24).batches(24)
    joints, vertices = truth.joints.double().numpy(), truth.vertices.double().numpy()
    assert found["mpjpe"] < 0.7 * best_constant(joints)
    assert found["mpvpe"] < 0.7 * best_constant(vertices)


def test_same_seed_same_weights(tmp_path: Path) -> None:
    first, second = ((tmp_path / name) for name in ("a", "b"))
    networks = []
    for folder in (first, second):
        folder.mkdir()
        networks.append(load_network(train(folder)).state_dict())
    assert all(torch.equal(networks[0][key], networks[1][key]) for key in networks[0])


def test_the_direct_network_trains(tmp_path: Path) -> None:
    mesh = {"kind": "direct", "hierarchy": "anny_hand", "channels": [8], "blocks": [1], "latent": 8}
    train(tmp_path, network={**COMPACT, "mesh": mesh}, stages=[MESH])


@pytest.mark.parametrize("head", ["graph", "fully_connected", "parameters", "graph_parameters"])
def test_classic_on_the_free_hand(tmp_path: Path, head: str) -> None:
    classic = {"kind": "classic", "joint_set": "hand21", "body": "anny-hand", "mesh": {"hierarchy": "anny_hand_hem"}}
    small = {**classic, "classic": {"width": 32, "divide_channels": 8, "head": head}}
    stages = [{**LIFTING, "steps": 2}, {**MESH, "steps": 2, "batch_size": 4}]
    assert measure(train(tmp_path, network=small, stages=stages), tmp_path)["clean"]["count"] == 6


@pytest.fixture
def mano(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with MANO's shapes: an open surface of 778 vertices and 1538 faces, random otherwise."""
    rng = np.random.default_rng(0)
    golden = np.arange(778) + 0.5
    polar, turn = np.arccos(1 - 2 * golden / 778), np.pi * (1 + 5**0.5) * golden
    points = np.stack([np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)], 1)
    faces = ConvexHull(points).simplices  # 1552, of which 14 without a common vertex go
    gone: list[int] = []
    for row, face in enumerate(faces):
        if len(gone) < len(faces) - MANO.faces and not set(face) & set(faces[gone].ravel()):
            gone.append(row)
    entries = arrays(MANO)
    entries |= {"v_template": 0.05 * points, "f": np.delete(faces, gone, 0).astype(np.uint32)}
    entries["J_regressor"] = rng.dirichlet(np.full(778, 0.02), 16)
    entries["posedirs"] = 1e-3 * entries["posedirs"]
    models = tmp_path / "models"
    models.mkdir()
    write_arrays(
        models / "MANO_RIGHT.npz", {key: value for key, value in entries.items() if not isinstance(value, str)}
    )
    monkeypatch.setenv("POSE2MESH_MODELS", str(models))
    return models


def test_mano_through_the_same_commands(tmp_path: Path, mano: Path) -> None:
    graph = tmp_path / "mano_hem.npz"
    build = ["--body", "mano-right", "--joint-set", "hand21", "--pooling", "hem", "--levels", "6", "-o", str(graph)]
    assert main(["build-graphs", *build]) == 0
    classic = {"kind": "classic", "joint_set": "hand21", "body": "mano-right", "mesh": {"hierarchy": str(graph)}}
    small = {**classic, "classic": {"width": 32, "divide_channels": 8}}
    stages = [{**LIFTING, "steps": 2}, {**MESH, "steps": 2, "batch_size": 4}]
    weights = train(tmp_path, network=small, stages=stages)
    assert measure(weights, tmp_path)["clean"]["count"] == 6
    network = load_network(weights)
    with torch.inference_mode():
        assert network(torch.rand(2, 21, 3)).vertices.shape == (2, 778, 3)
    assert load_body_model("mano-right").joint_regressor("hand21").shape == (21, 778)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": {**COMPACT, "body": "anny-hand-left"}}, "anny-hand or mano-right"),
        ({"network": {**COMPACT, "joint_set": "coco17"}}, "coco17 does not belong to anny-hand"),
        ({"data": {"gestures": ["juggling"]}}, "juggling"),
        ({"validation": ["mocap_val.npz"]}, "unknown gesture family"),
    ],
)
def test_bad_settings_are_one_line_and_code_2(
    tmp_path: Path, changes: dict, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--config", str(write_config(tmp_path, **changes))]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_protocol_and_weights_belong_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "test.yaml"
    config.write_text("protocol: hand\nweights: anny-body\n")
    assert main(["test", "--config", str(config)]) == 2
    assert "protocol=hand" in capsys.readouterr().err
