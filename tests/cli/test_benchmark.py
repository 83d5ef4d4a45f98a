import json

import pytest
import torch

from pose2mesh import benchmarks
from pose2mesh.benchmarks import Report, Row
from pose2mesh.cli.benchmark import run
from pose2mesh.cli.main import main


@pytest.fixture
def seen(monkeypatch):
    """Settings that reach the library, which answers with one row."""
    settings = []

    def answer(given, say, group):
        settings.append(given)
        return Report({"cpu": "x"}, [Row("classic", "cpu", "forward", 1, 2.0, 500.0, 3.0, 4.0, 1.5)])

    monkeypatch.setattr(benchmarks, "run_benchmark", answer)
    return settings


def test_options_reach_the_library_and_the_report_the_file(seen, tmp_path, capsys):
    threads = torch.get_num_threads()
    try:
        arguments = ["train", "--batch", "2,8", "--threads", "1", "--cpu-time", "--paths", "cpu,original"]
        assert run([*arguments, "--json", str(tmp_path / "b.json")]) == 0
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)
    (settings,) = seen
    assert (settings.mode, settings.batches, settings.paths) == ("train", (2, 8), ("cpu", "original"))
    assert settings.is_cpu_time and not settings.is_quick
    assert "classic" in capsys.readouterr().out
    assert json.loads((tmp_path / "b.json").read_text())["rows"][0]["ms"] == 2.0


def test_training_is_timed_at_batches_that_batch_norms_can_take(seen, capsys):
    assert main(["benchmark", "train"]) == 0 and main(["benchmark", "train", "--quick"]) == 0
    assert [settings.batches for settings in seen] == [(8, 64), (2,)]
    assert main(["benchmark", "train", "--batch", "1"]) == 2
    assert "at least two samples" in capsys.readouterr().err


def test_quick_means_one_sample(seen):
    run(["--quick"])
    assert seen[0].batches == (1,) and seen[0].mode == "network"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ["--device", "cuda"],
            "torch sees no CUDA device",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device"),
        ),
        (["--cpu-time"], "give --threads 1"),
        (["--device", "tpu"], "--device tpu: choose cpu or cuda"),
        (["--batch", "0"], "--batch: '0' is not a number"),
        (["--batch", "x"], "--batch: 'x' is not a number"),
        (["hand"], "invalid choice: 'hand'"),
    ],
)
def test_bad_input_is_exit_code_2(arguments, message, capsys):
    assert main(["benchmark", *arguments]) == 2
    assert message in capsys.readouterr().err
