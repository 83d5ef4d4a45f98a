"""`pose2mesh test` by the protocol of everyday poses: its table and its metrics, for networks that know and do not."""

import json
from pathlib import Path

import pytest
import torch
from tiny_network import tiny_settings

from pose2mesh import paths
from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints import build_network, save_weights
from pose2mesh.cli.main import main
from pose2mesh.evaluation.evaluator import evaluate_upright
from pose2mesh.networks.prediction import MeshPrediction
from pose2mesh.synthesis.upright import GROUPS, UprightProtocol

CONFIG = str(paths.asset("configs/test_upright.yaml"))


def test_metrics_file_and_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_weights(tmp_path / "w.safetensors", build_network(tiny_settings()), tiny_settings())  # pyright: ignore
    out = tmp_path / "metrics.json"
    overrides = [f"weights={tmp_path / 'w.safetensors'}", "data.samples=1", "device=cpu"]
    assert main(["test", "--config", CONFIG, *overrides, "--json", str(out)]) == 0
    metrics = json.loads(out.read_text())
    assert metrics.keys() == {"clean", "noisy"}
    for values in metrics.values():
        assert values["count"] == len(GROUPS) and values["groups"].keys() == {name for name, *_ in GROUPS}
        for numbers in (values, *values["groups"].values()):
            assert 0 <= numbers["knee_flexion"]["truth"] <= 180 and 0 <= numbers["knee_flexion"]["predicted"] <= 180
            assert 10 < numbers["pa_mpjpe"] < 5000
    table = capsys.readouterr().out
    assert "standing, cut" in table and "degrees of the knees" in table


def test_who_answers_with_the_truth_makes_no_errors() -> None:
    """A network that is told the answer: all errors are zero, and its knees those of the truth."""
    protocol = UprightProtocol(load_anny_body(), samples=1)
    answers = [answer for batch in protocol.batches(4) for answer in [batch, batch]]  # clean, then noisy

    def oracle(keypoints: torch.Tensor) -> MeshPrediction:
        batch = answers.pop(0)
        assert len(keypoints) == len(batch.joints)
        return MeshPrediction(batch.vertices, batch.joints)

    oracle.joint_set = "coco17"
    metrics = evaluate_upright(oracle, protocol, batch_size=4)  # pyright: ignore[reportArgumentType]
    for values in metrics.values():
        assert values["mpjpe"] == pytest.approx(0, abs=1e-3) and values["pa_mpvpe"] == pytest.approx(0, abs=1e-2)
        for numbers in (values, *values["groups"].values()):
            assert numbers["knee_flexion"]["truth"] == numbers["knee_flexion"]["predicted"]
    assert metrics["clean"]["groups"]["standing"]["knee_flexion"]["truth"] < 15
