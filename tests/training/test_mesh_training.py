"""Training on somebody's own mesh, of which nothing is known but frames."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pose2mesh import Pose2Mesh
from pose2mesh.body_models import MeshBody, load_body_model
from pose2mesh.checkpoints import build_network
from pose2mesh.cli.main import main
from pose2mesh.errors import FormatError, InputError
from pose2mesh.evaluation.evaluator import evaluate
from pose2mesh.synthesis.meshes import MeshProtocol, MeshSamples
from pose2mesh.synthesis.mixture import Mixture

SETS = {"joint_set": "lsp14", "output_set": "mpii16"}
ROWS, COLUMNS = 9, 16


def sheet(frames: int, seed: int) -> np.ndarray:
    """A sheet [N, V, 3] of 0.8 x 1.6 m that bends in two ways."""
    bends = np.random.default_rng(seed).uniform(-1, 1, (2, frames, 1))
    y, x = (part.ravel() for part in np.mgrid[0 : 1.6 : ROWS * 1j, 0 : 0.8 : COLUMNS * 1j])
    z = 0.4 * bends[0] * (y - 0.8) ** 2 + 0.5 * bends[1] * (x - 0.4)
    return np.stack([np.broadcast_to(x, z.shape), np.broadcast_to(y, z.shape), z], -1)


def faces() -> np.ndarray:
    corner = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)[:-1, :-1].ravel()
    below = np.stack([corner, corner + 1, corner + COLUMNS], 1)
    return np.concatenate([below, np.stack([corner + 1, corner + COLUMNS + 1, corner + COLUMNS], 1)])


def write(path: Path, frames: int, seed: int, **changes: np.ndarray | str) -> Path:
    """Sixteen joints spread over the sheet."""
    spots = np.linspace(0, ROWS * COLUMNS - 1, 16).round().astype(int)
    content = {"vertices": sheet(frames, seed), "faces": faces(), "joint_set": "mpii16", "joint_vertices": spots}
    np.savez(path, **{name: value for name, value in {**content, **changes}.items() if value is not None})  # type: ignore
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(tmp_path / "sheet.npz", 200, 0)
    write(tmp_path / "other.npz", 40, 1)
    monkeypatch.chdir(tmp_path)
    build = "build-graphs --body sheet.npz --sizes 40,12 -o graphs.npz"
    assert main(build.split()) == 0
    return tmp_path


def mixture() -> Mixture:
    return Mixture()


def test_samples_are_frames_before_a_camera(tmp_path: Path):
    body = load_body_model(str(write(tmp_path / "sheet.npz", 5, 0)))
    ids = np.array([3, 70, 11])
    samples = MeshSamples(body, mixture(), vertex_ids=ids, batch_size=64, **SETS, seed=1)  # type: ignore
    batch = samples[4]
    for before, after in zip(batch, samples[4], strict=True):
        assert torch.equal(before, after)
    assert not torch.equal(batch.vertices, samples[5].vertices)
    root = batch.joints[:, 6]  # mpii16's pelvis
    assert root.abs().max() < 1e-5
    true = sheet(5, 0)  # every sample is a rotation of one of the frames: the Gram matrices agree
    points = true[:, ids] - true[:, [np.linspace(0, ROWS * COLUMNS - 1, 16).round().astype(int)[6]]]
    grams = np.einsum("nik,njk->nij", points, points)
    found = np.einsum("nik,njk->nij", batch.vertices.double().numpy(), batch.vertices.double().numpy())
    assert np.abs(found[:, None] - grams).max((2, 3)).min(1).max() < 1e-5


def test_a_network_learns_the_mesh(folder: Path, capsys: pytest.CaptureFixture[str]):
    Path("sheet.yaml").write_text(
        """
output: runs/sheet
network:
  joint_set: lsp14
  output_set: mpii16
  body: sheet.npz
  lifter: {width: 64, blocks: 1}
  mesh: {hierarchy: graphs.npz, channels: [16, 8], blocks: [1, 1], latent: 16}
data: {noise: [{share: 1, detector: {jitter: 0.002, miss: 0, swap: 0, absent: 0}}]}
stages: [{name: mesh, steps: 300, batch_size: 64, warmup: 10, learning_rate: 0.003, loss: {edge: 1}}]
validation: [other.npz]
validate_every: 300
ema_decay: 0.9
"""
    )
    write(folder / "wrong.npz", 4, 1, joint_vertices=np.arange(16))
    assert main(["train", "--config", "sheet.yaml", "validation=[wrong.npz]"]) == 2
    assert "the joints of wrong.npz are not those of sheet.npz" in capsys.readouterr().err
    assert main(["train", "--config", "sheet.yaml"]) == 0
    model = Pose2Mesh.from_pretrained("runs/sheet/weights.safetensors")
    assert isinstance(load_body_model("other.npz"), MeshBody)
    other = load_body_model("other.npz")
    protocol = MeshProtocol(other, **SETS)  # type: ignore
    learned = evaluate(model.network, protocol)["clean"]  # type: ignore
    mean = np.linalg.norm(sheet(40, 1) - sheet(40, 1).mean(0), axis=-1).mean()  # what the mean shape alone is off
    assert learned["count"] == 40
    assert learned["pa_mpvpe"] < 0.75 * 1000 * mean
    points = 1000 * next(protocol.batches(1)).clean[0, :, :2].numpy() + 500  # [14, 2] px
    people = model.predict(points, joint_set="lsp14")
    assert people[0].vertices.shape == (ROWS * COLUMNS, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vertices": np.zeros((144, 3))}, r"vertices are \[144, 3\], not \[N, V, 3\]"),
        ({"faces": np.array([[0, 1, 500]])}, "faces name vertices beyond the 144"),
        ({"joint_vertices": np.arange(3)}, r"joints are \[3, 144\], not \[16, 144\] for mpii16"),
        ({"joint_vertices": np.arange(16) + 140}, "whole numbers"),
        ({"joint_vertices": None}, "lacks 'joint_vertices'"),
        ({"joint_set": "mpii61"}, "unknown joint set 'mpii61'; did you mean mpii16"),
    ],
)
def test_files_that_are_no_mesh(tmp_path: Path, changes: dict, message: str):
    with pytest.raises(FormatError, match=message):
        load_body_model(str(write(tmp_path / "bad.npz", 4, 0, **changes)))


def test_what_a_mesh_does_not_have(folder: Path):
    from tiny_network import tiny_settings

    mesh = {"hierarchy": "graphs.npz", "channels": [4], "blocks": [1]}
    settings = {**tiny_settings(), "body": "sheet.npz", **SETS, "mesh": {**tiny_settings()["mesh"], **mesh}}
    assert build_network(settings).faces.shape == faces().shape  # type: ignore
    for changes, message in (
        ({"output_set": ""}, "lsp14 has no root"),
        ({"joint_set": "coco17"}, "no 'nose'"),
        ({"lifter": {"width": 32, "blocks": 1, "heads": True}}, "heads: they are for anny-body"),
        ({"kind": "key2mesh"}, "no parameters to estimate"),
    ):
        with pytest.raises(InputError, match=message):
            network = build_network({**settings, **changes})
            body: Any = load_body_model("sheet.npz")
            sets = {"joint_set": network.joint_set, "output_set": "mpii16"}
            MeshSamples(body, mixture(), vertex_ids=np.arange(2), batch_size=1, **sets)  # type: ignore
