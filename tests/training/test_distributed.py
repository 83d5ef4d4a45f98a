"""Several processes train one network; devices by name."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_run import tiny_run

from pose2mesh.checkpoints import load_network
from pose2mesh.errors import InputError
from pose2mesh.training.distributed import Processes, pick_device, processes

SCRIPT = Path(__file__).with_name("two_processes.py")


def test_two_processes_end_with_the_same_weights(tmp_path: Path) -> None:
    """gloo; each process has samples of its own, and both skip the step that fails on one of them."""
    (tmp_path / "train.yaml").write_text(json.dumps(tiny_run(tmp_path)))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    folders = os.pathsep.join([*sys.path, str(SCRIPT.parent), str(SCRIPT.parents[1])])
    finished = subprocess.run(
        [*launcher, str(SCRIPT), str(tmp_path / "train.yaml"), str(tmp_path)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": folders},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-2000:]
    digests = {name: {(tmp_path / f"{name}{rank}").read_text() for rank in (0, 1)} for name in ("network", "ema")}
    assert [len(found) for found in digests.values()] == [1, 1]
    assert (tmp_path / "stream0").read_text() != (tmp_path / "stream1").read_text()
    assert finished.stdout.count("lifting: step 3 skipped") == 1
    weights = load_network(tmp_path / "run" / "weights.safetensors").state_dict()
    assert all(torch.isfinite(value).all() for value in weights.values())


def test_alone_without_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with processes(torch.device("cpu")) as group:
        assert group == Processes(0, 1) and group.is_first
        assert group.any(True) and not group.any(False)
        module = torch.nn.Linear(1, 1)
        assert group.wrap(module) is module


def test_devices_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pick_device("cpu") == torch.device("cpu")
    with pytest.raises(InputError, match="unknown device 'abacus'"):
        pick_device("abacus")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert pick_device("auto") == torch.device("cpu")
    with pytest.raises(InputError, match="this machine has 0 GPUs"):
        pick_device("cuda")


def test_each_process_has_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setenv("LOCAL_RANK", "2")
    assert pick_device("auto") == pick_device("cuda") == torch.device("cuda", 2)
    assert pick_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(InputError, match="4 GPUs"):
        pick_device("cuda:7")
