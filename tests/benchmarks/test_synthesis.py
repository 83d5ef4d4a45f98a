"""The benchmark of synthesized pictures: rows that agree with themselves, and a table of them."""

import json

import pytest

from pose2mesh.benchmarks import synthesis
from pose2mesh.benchmarks.synthesis import SynthesisRow, table, write_json
from pose2mesh.checkpoints.image_backbone import ANNY


def test_pictures_are_timed_beside_the_network(monkeypatch, tmp_path):
    monkeypatch.setattr(synthesis, "ANNY", {**ANNY, "stages": [1], "base": 4, "width": 16})
    rows = synthesis.measure_synthesis(batch=1)
    assert [row.name.split(",")[0] for row in rows] == ["picture", "picture", "ResNet-50"]
    assert all(row.per_second == pytest.approx(1000 / row.ms) for row in rows)
    write_json(rows, tmp_path / "rows.json")
    assert len(json.loads((tmp_path / "rows.json").read_text())["rows"]) == 3


def test_the_table_states_both_sides_of_a_rate():
    assert "| a | 250 | 4.0 |" in table([SynthesisRow("a", 250.0, 4.0)])
