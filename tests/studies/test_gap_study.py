"""The table of the domain gap on small networks: rows, seeds, and that labels reach the oracle only."""

import json
from pathlib import Path

import pytest
import torch
from tiny_adaptation import adapt_config, write_network
from tiny_pack import write_pack

from pose2mesh.errors import InputError
from tools.studies.domain_gap import kinds_of_gap
from tools.studies.gap_study import GapBench, StudyConfig, StudyRow, run_study, table
from tools.studies.gap_table import main


def study_config(folder: Path, **changes) -> StudyConfig:
    pack = write_pack(folder / "target.npz", {"01_01": 60, "02_01": 30}, seed=3)
    (folder / "unused").mkdir(exist_ok=True)
    adapt = adapt_config(folder / "unused").model_dump(mode="json", exclude={"weights", "target", "output"})
    rows = [
        {"name": "source only", "method": "source"},
        {"name": "WGAN-GP", "method": "key2mesh"},
        {"name": "oracle", "method": "oracle", "adapt": {"steps": 60, "validate_every": 20, "learning_rate": 3e-3}},
    ]
    return StudyConfig.model_validate({
        "weights": [str(write_network(folder / "source.safetensors", "key2mesh"))],
        "gap": {"motion": str(pack), "people": 90}, "seeds": [0, 1], "rows": rows, "adapt": adapt, "test_people": 8,
        **changes,
    })  # fmt: skip


def test_rows_and_seeds(tmp_path: Path):
    said: list[str] = []
    rows = run_study(study_config(tmp_path), say=said.append)
    assert [row.name for row in rows] == ["source only", "WGAN-GP", "oracle"]
    assert [len(row.values["mpjpe"]) for row in rows] == [1, 2, 2]
    assert rows[2].values["mpjpe"][0] < rows[0].values["mpjpe"][0]  # labels help
    assert len(said) == 3 and "WGAN-GP" in said[1]


def test_labels_of_nan_change_no_row_but_the_oracle(tmp_path: Path):
    config = study_config(tmp_path)
    bench = GapBench(config, config.weights[0], kinds_of_gap(config.gap)["all"], torch.device("cpu"))
    before = bench.measure_row("key2mesh", config.adapt)
    truth = bench.labeled.truth
    poison = truth._replace(**{name: torch.full_like(getattr(truth, name), torch.nan) for name in truth._fields[1:]})
    bench.labeled = bench.labeled._replace(truth=poison)
    assert bench.measure_row("key2mesh", config.adapt) == before
    same = bench.measure_row("oracle", config.adapt)  # every step is skipped, so nothing is learned
    assert same["mpjpe"] == bench.measure_row("source", config.adapt)["mpjpe"]


def test_the_table():
    rows = [StudyRow("w", "all", "x", {name: [100.0, 104.0] for name in ("pa_mpjpe", "mpjpe", "pa_mpvpe", "mpvpe")})]
    rows[0].values["reprojection"] = [0.05, 0.06]
    assert table(rows).splitlines()[-1] == (
        "| all | x | 102.0 ± 2.8 | 102.0 ± 2.8 | 102.0 ± 2.8 | 102.0 ± 2.8 | 0.0550 ± 0.0071 |"
    )


def test_a_wrong_row_is_refused_before_anything_is_computed(tmp_path: Path):
    rows = [{"name": "typo", "method": "key2mesh", "adapt": {"key2mesh": {"critik": "bce"}}}]
    with pytest.raises(InputError, match="typo"):
        run_study(study_config(tmp_path, rows=rows, weights=["nowhere"]))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture):
    config = study_config(tmp_path, seeds=[0], rows=[{"name": "source only", "method": "source"}])
    (tmp_path / "study.yaml").write_text(config.model_dump_json())
    arguments = ["--config", str(tmp_path / "study.yaml"), "--json", str(tmp_path / "out.json")]
    assert main(arguments) == 0
    assert "| all | source only |" in capsys.readouterr().out
    (row,) = json.loads((tmp_path / "out.json").read_text())["domain_gap"]
    assert row["values"]["pa_mpjpe"][0] > 0


def test_a_stopped_table_goes_on_and_one_of_other_settings_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture):
    row = {"name": "source only", "method": "source"}
    config = study_config(tmp_path, seeds=[0], rows=[row, {**row, "name": "again"}])
    (tmp_path / "study.yaml").write_text(config.model_dump_json())
    out = tmp_path / "out.json"
    arguments = ["--config", str(tmp_path / "study.yaml"), "--json", str(out)]
    assert main(arguments) == 0
    whole = out.read_bytes()
    there = json.loads(whole)
    there["domain_gap"][0]["values"]["mpjpe"], there["domain_gap"] = [7.0], there["domain_gap"][:1]
    out.write_text(json.dumps(there))
    assert main(arguments) == 0
    first, second = json.loads(out.read_text())["domain_gap"]
    assert first["values"]["mpjpe"] == [7.0] and second == json.loads(whole)["domain_gap"][1]
    with pytest.raises(InputError, match="other settings"):
        main([*arguments, "gap.offset=0.02"])
