"""The study of accuracy against time: every way is measured, learned descent where its weights are given."""

from pathlib import Path

import pytest
from tiny_pack import write_pack

from pose2mesh.checkpoints import build_network, save_weights
from pose2mesh.training.config import NetworkConfig
from tools.studies import fitting_speed


def test_every_way_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fitting_speed, "_DESCENTS", (2,))
    monkeypatch.setattr(fitting_speed, "_LEAST_MS", 0.0)
    config = NetworkConfig.model_validate({"kind": "learned_descent", "lifter": {"width": 16, "blocks": 1}})
    settings = config.model_dump(mode="json")
    save_weights(tmp_path / "learned.safetensors", build_network(settings), settings)
    motion = write_pack(tmp_path / "motion.npz", {"01_01": 4})
    rows = fitting_speed.measure_fitting(str(motion), 2, learned=str(tmp_path / "learned.safetensors"))
    names = [row.name for row in rows]
    assert names[0].startswith("graph network") and names[-1] == "descent from nothing, 2 steps"
    assert {"learned descent", "learned descent, without the mesh"} <= set(names)
    assert all(0 < row.clean["pa_mpjpe"] < 1000 and row.ms > 0 for row in rows)
    same = {row.name: row.noisy for row in rows}
    assert same["learned descent"] == pytest.approx(same["learned descent, without the mesh"], abs=1e-3)
