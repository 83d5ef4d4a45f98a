"""Several processes train one network; devices by name."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from interrupted_runs import digest
from many_processes import in_processes
from shared_run import SKIPPED, run, settings_of
from tiny_run import tiny_run

from pose2mesh.errors import InputError
from pose2mesh.training.config import TrainConfig
from pose2mesh.training.distributed import Processes, pick_device, processes
from pose2mesh.training.state import load_state
from pose2mesh.training.trainer import train

SCRIPT = Path(__file__).with_name("killed_once.py")
COUNTS = (1, 2, 4)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[Path, list[Any]]]:
    """The same run in one, two and four processes: the folder, and what each process ended with."""
    folders = {count: tmp_path_factory.mktemp(f"processes{count}") for count in COUNTS}
    return {count: (folder, in_processes(count, run, folder)) for count, folder in folders.items()}


def test_a_run_is_the_same_in_any_number_of_processes(runs) -> None:
    """Losses, the step that one stream spoils, weights, statistics of batch norms; dropout is on."""
    (alone,) = runs[1][1]
    assert [loss is None for loss in alone["losses"]] == [step == SKIPPED for step in range(10)]
    for count in COUNTS[1:]:
        first, *others = runs[count][1]
        assert all(other["digests"] == first["digests"] for other in others)
        pairs = zip(first["losses"], alone["losses"], strict=True)
        assert all(ours == (theirs and pytest.approx(theirs, rel=1e-5)) for ours, theirs in pairs)
        for name, values in alone["small"].items():
            assert first["small"][name] == pytest.approx(values, rel=1e-5, abs=1e-7), name
    assert alone["small"]["network.1.num_batches_tracked"] == [3]


def test_one_process_told_to_stop_stops_all_and_they_resume_to_the_bit(runs, tmp_path: Path) -> None:
    assert in_processes(2, run, tmp_path, False, 3) == ["saved at step 4 of lifting"] * 2
    assert load_state(tmp_path / "run" / "last.pt")["step"] == 4
    in_processes(2, run, tmp_path, True)
    assert digest(tmp_path / "run") == digest(runs[2][0] / "run")


def start_node(folder: Path, port: int, dies: str, is_host: bool) -> subprocess.Popen:
    """The agent of one of two nodes, whose two processes run `killed_once.py`."""
    folders = os.pathsep.join([*sys.path, str(SCRIPT.parent), str(SCRIPT.parents[1])])
    alone = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": folders, "DIES": dies}
    shape = ["--nnodes=2", "--nproc-per-node=2", "--max-restarts=3", "--rdzv-backend=c10d", "--local-addr=127.0.0.1"]
    meeting = [f"--rdzv-endpoint=127.0.0.1:{port}", f"--rdzv-conf=is_host={int(is_host)}"]
    command = [sys.executable, "-m", "torch.distributed.run", *shape, *meeting, str(SCRIPT)]
    return subprocess.Popen(
        [*command, "--config", str(folder / "train.yaml"), "--resume"],
        env={**os.environ, **alone}, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("dies", ["process", "node"])
def test_two_nodes_outlive_a_killed_process_and_a_killed_node(runs, tmp_path: Path, dies: str) -> None:
    """`kill -9` of one process of 2 x 2, or of an agent with its two: all begin anew, to the bits of a run left alone.

    A killed node is started again by the same command; the other one holds the meeting point.
    """
    psutil = pytest.importorskip("psutil", reason="psutil, which finds processes to kill, is not installed")
    (tmp_path / "train.yaml").write_text(json.dumps(settings_of(tmp_path)))
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    died = tmp_path / "run" / "died"
    nodes = [
        start_node(tmp_path, port, dies if dies == "process" else "", True),
        start_node(tmp_path, port, dies, False),
    ]
    try:
        if dies == "node":
            while not died.is_file():
                assert [node.poll() for node in nodes] == [None, None]
                time.sleep(0.2)
            lost = psutil.Process(nodes[1].pid)
            for process in [lost, *lost.children(recursive=True)]:
                process.kill()
            assert nodes[1].wait() == -signal.SIGKILL
            nodes[1] = start_node(tmp_path, port, dies, False)
        said = [node.communicate(timeout=800) for node in nodes]
    finally:
        for node in nodes:
            node.kill()
    assert [node.returncode for node in nodes] == [0, 0], "\n".join(errors[-3000:] for _, errors in said)
    assert died.is_file()
    assert digest(tmp_path / "run") == digest(runs[4][0] / "run")


@pytest.mark.parametrize(("streams", "said"), [(1, "start 1, or give streams=2"), (3, "start 1, 3, or give streams=2")])
def test_streams_that_cannot_be_shared_out(tmp_path: Path, streams: int, said: str) -> None:
    errors = in_processes(2, train, TrainConfig.model_validate(tiny_run(tmp_path, streams=streams)))
    assert all(isinstance(error, InputError) and said in str(error) for error in errors)
    assert not (tmp_path / "run").exists()


def test_restarts_need_a_store_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("WORLD_SIZE", "2"), ("MAX_RESTARTS", "3"), ("USE_AGENT_STORE", "True")):
        monkeypatch.setenv(name if name == "WORLD_SIZE" else f"TORCHELASTIC_{name}", value)
    with pytest.raises(InputError, match="set TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1"), processes(torch.device("cpu")):
        pass


def test_alone_without_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with processes(torch.device("cpu")) as group:
        assert group == Processes(0, 1) and group.is_first
        assert group.largest(2.0) == 2.0 and group.agree(3.0) and list(group.share(3)) == [0, 1, 2]
        module = torch.nn.Linear(1, 1)
        assert group.wrap(module) is module


def test_devices_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pick_device("cpu") == torch.device("cpu")
    with pytest.raises(InputError, match="unknown device 'abacus'"):
        pick_device("abacus")
    for name in ("meta", "xla"):
        with pytest.raises(InputError, match=f"device '{name}': nothing is trained or measured there"):
            pick_device(name)
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
