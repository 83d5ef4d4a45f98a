"""The benchmark of synthesized pictures: rows that agree with themselves, and a table of them."""

import json

import pytest

from pose2mesh.checkpoints.image_backbone import ANNY
from tools.studies import synthesis_speed


def test_pictures_are_timed_beside_the_network(monkeypatch, tmp_path):
    monkeypatch.setattr(synthesis_speed, "ANNY", {**ANNY, "stages": [1], "base": 4, "width": 16})
    assert synthesis_speed.main(["--quick", "--json", str(tmp_path / "rows.json")]) == 0
    rows = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert [row["name"].split(",")[0] for row in rows] == ["picture", "picture", "ResNet-50"]
    assert all(row["per_second"] == pytest.approx(1000 / row["ms"]) for row in rows)


def test_the_table_states_both_sides_of_a_rate():
    assert "| a | 250 | 4.0 |" in synthesis_speed.table([synthesis_speed.SynthesisRow("a", 250.0, 4.0)])
