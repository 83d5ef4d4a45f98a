"""Training of an image backbone: weights that load, exact resume, and runs that are not overwritten."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from interrupted_runs import digest, stop_after
from tiny_pack import write_pack

from pose2mesh.checkpoints import save_weights
from pose2mesh.checkpoints.image_backbone import is_image_backbone, load_image_backbone
from pose2mesh.cli.main import main
from pose2mesh.errors import FormatError
from pose2mesh.geometry.weak_perspective import SIDE
from pose2mesh.networks.spin import FrozenSpin
from pose2mesh.training.state import load_state

STEPS = 4


def write_config(folder: Path, **changes) -> str:
    pack = str(write_pack(folder / "pack.npz"))
    content = {
        "task": "image_backbone", "stages": [1, 1], "channels": 4, "width": 16,
        "data": {"motion": [pack], "distinct_radians": 0.0}, "validation": [pack],
        "pictures": 8, "validation_pictures": 8, "backgrounds": 2, "steps": STEPS, "batch_size": 4, "warmup": 0,
        "views": 2, "output": str(folder / "run"), "threads": 1, "device": "cpu", **changes,
    }  # fmt: skip
    path = folder / "backbone.yaml"
    path.write_text(yaml.safe_dump(content))
    return str(path)


def test_an_interrupted_run_goes_on_to_the_same_weights(tmp_path, capsys, monkeypatch):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    assert main(["train", "--config", write_config(whole)]) == 0, capsys.readouterr().err
    config = write_config(parts)
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        assert main(["train", "--config", config]) == 143
    assert "saved at step 2" in capsys.readouterr().out
    assert main(["train", "--config", config]) == 2
    assert "has not ended" in capsys.readouterr().err
    assert main(["train", "--config", config, "--resume", "channels=8"]) == 2
    assert "channels: 4 there, 8 here" in capsys.readouterr().err
    assert load_state(parts / "run" / "last.pt")["step"] == 2
    assert main(["train", "--config", config, "--resume"]) == 0
    assert digest(whole / "run") == digest(parts / "run")
    assert (whole / "run" / "metrics.json").is_file() and (parts / "run" / "metrics.json").is_file()


def test_behind_the_landmark_network(tmp_path, capsys):
    """The mean and deviation of what it sees go with the weights, and weights behind another network are refused."""
    pytest.importorskip("onnxruntime")
    arguments = ["train", "--config", write_config(tmp_path), "eyes=landmarks"]
    assert main([*arguments, "steps=40", "learning_rate=0.003"]) == 0, capsys.readouterr().err
    path = tmp_path / "run" / "weights.safetensors"
    network, settings = load_image_backbone(path)
    assert isinstance(network, FrozenSpin) and network.mean.std() > 0
    seen = network.look(torch.zeros(2, SIDE, SIDE, 3, dtype=torch.uint8))
    assert torch.isfinite(network.estimate(network.features(seen)).parameters.rotations).all()
    other = tmp_path / "other.safetensors"
    save_weights(other, network, {**settings, "eyes": "0" * 64})
    with pytest.raises(FormatError, match="behind another pose_landmark_full"):
        load_image_backbone(other)


def test_what_is_written(tmp_path, capsys):
    assert main(["train", "--config", write_config(tmp_path), "steps=30", "learning_rate=0.003"]) == 0
    path = tmp_path / "run" / "weights.safetensors"
    assert is_image_backbone(path)
    network, settings = load_image_backbone(path)
    assert (settings["body"], settings["base"]) == ("anny-body", 4)
    assert torch.isfinite(network.estimate(network.features(torch.zeros(1, 3, SIDE, SIDE))).parameters.rotations).all()
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["count"] == 8 and 0 < metrics["pa_mpjpe"] < metrics["mpjpe"]
    assert main(["train", "--config", write_config(tmp_path)]) == 2
    assert "--overwrite" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resume"], "nothing to resume"),
        (["colour=red"], "colour"),
        (["batch_size=1"], "batch_size"),
        (["data.motion=[nowhere.npz]"], "nowhere.npz"),
        (["validation=[nowhere.npz]"], "nowhere.npz"),
    ],
)
def test_faults_are_found_before_anything_is_drawn(tmp_path, capsys, arguments, message):
    assert main(["train", "--config", write_config(tmp_path), *arguments]) == 2
    captured = capsys.readouterr().err
    assert message in captured and "pictures:" not in captured
    assert not (tmp_path / "run").exists()
