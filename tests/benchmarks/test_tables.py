import json

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="pyarrow is not installed")

from pose2mesh.benchmarks import tables
from pose2mesh.cli.main import main


def test_rates_memory_and_the_projection_are_told(tmp_path, monkeypatch, capsys):
    """Two processes at once, as one of more batch sizes would be."""
    monkeypatch.setattr(tables, "NETWORKS", ("anny-key2mesh",))
    large = np.ones(2**30, np.uint8)  # of this process, not of those that are measured
    command = ["benchmark", "batch", "--quick", "--batch", "32", "--threads", "2", "--json", str(tmp_path / "b.json")]
    assert main(command) == 0
    rows = json.loads((tmp_path / "b.json").read_text())["rows"]
    assert [(row["batch"], row["threads"], row["processes"]) for row in rows] == [(32, 1, 1), (64, 2, 1), (64, 1, 2)]
    one, _, two = rows
    assert 0.2 < two["rows_per_cpu_s"] / one["rows_per_cpu_s"] < 5  # of all processes, for their processor time
    for row in rows:
        assert 100 < row["peak_mb"] < large.nbytes / 1e6
        assert 500 < row["row_bytes"] < 2000  # of parameters, never of vertices
        assert row["core_hours_of_1e9"] * row["rows_per_cpu_s"] == pytest.approx(1e9 / 3600)
    assert "| anny-key2mesh | 32 |" in capsys.readouterr().out
