"""`pose2mesh train` as a process: exit codes, termination and going on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_run import tiny_run

from pose2mesh.cli.main import main
from pose2mesh.training.state import load_state


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A run of one stage that would take hours. JSON is YAML."""
    stage = {"name": "lifting", "steps": 1_000_000, "batch_size": 4, "lifting_only": True}
    (tmp_path / "train.yaml").write_text(json.dumps(tiny_run(tmp_path, stages=[stage])))
    return tmp_path / "train.yaml"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pose2mesh.cli.main", "train", *arguments]


def terminate_while_training(arguments: list[str], output: Path) -> tuple[int, str]:
    """SIGTERM to all processes of the job, as schedulers send it, once training is under way."""
    process = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 300
        while not (output / "last.pt").is_file() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGTERM)
        said, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    return process.returncode, said


@pytest.mark.parametrize("workers", [0, 2])
def test_sigterm_saves_and_ends_with_143(config: Path, tmp_path: Path, workers: int) -> None:
    often = "checkpoint_minutes=0.0001"  # so that a state on disk shows that training is under way
    code, said = terminate_while_training(
        command("--config", str(config), often, f"data.workers={workers}"), tmp_path / "run"
    )
    assert code == 143, said
    assert "saved at step" in said and "--resume" in said and "Traceback" not in said
    done = load_state(tmp_path / "run" / "last.pt")["step"]
    assert done >= 1
    if workers == 0:
        assert main(["train", "--config", str(config), "--resume", "--overwrite", f"stages.0.steps={done + 2}"]) == 0
        assert load_state(tmp_path / "run" / "last.pt")["stage"] == 1
        assert (tmp_path / "run" / "weights.safetensors").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["speed=3"], "speed: unknown setting"),
        (["stages.0.step=3"], "stages.0.step: unknown setting, did you mean steps?"),
        (["network.lifter.zoom=3"], "network.lifter.zoom: unknown setting (known: width, blocks, heads)"),
        (["seed=.nan"], "seed: "),
        (["data.motion=[absent.npz]"], "absent.npz"),
        (["--resume"], "nothing to resume"),
        (["device=abacus"], "unknown device 'abacus'"),
        (["network.joint_set=tail"], "unknown joint set 'tail'"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    config: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--config", str(config), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_absent_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--config", str(tmp_path / "absent.yaml")]) == 2
    assert "assets/configs" in capsys.readouterr().err
