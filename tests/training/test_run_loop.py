"""The loop of every run, with a task that counts: order, stopping, skipping."""

import json
import multiprocessing
import os
import signal
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from counting_task import Counting, Numbers, Slow, Stopping, Sum, config_of, state_of

from pose2mesh.errors import InputError, MachineError
from pose2mesh.training.distributed import Processes
from pose2mesh.training.run_loop import Interrupted, RunLoop, TimeIsUp, carry_out


class Dying(Counting):
    """A worker that the kernel kills at batch 3, or that never comes back from it."""

    def __init__(self, what: str):
        self.what = what

    def __getitem__(self, index: int) -> Numbers:
        if index == 3 and multiprocessing.parent_process():
            if self.what == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(1000)
        return super().__getitem__(index)


def test_stages_steps_and_validations_come_in_order(tmp_path: Path) -> None:
    task, weights = carry_out(config_of(tmp_path), Sum)
    steps = [f"step {i}" for i in range(5)]
    first = ["begin 0", *steps[:3], "validate", steps[3], "validate", "end"]
    assert task.calls == [*first, "begin 1", *steps[:3], "validate", *steps[3:5], "validate", "end"]
    assert task.network.weight[0, 0].item() == 6 + 10
    assert weights.read_bytes() == task.network.weight.detach().numpy().tobytes()
    lines = [json.loads(line) for line in (tmp_path / "run" / "validation.jsonl").read_text().splitlines()]
    assert [(line["stage"], line["step"], line["sum"]) for line in lines] == [
        ("part 0", 3, 3), ("part 0", 4, 6), ("part 1", 3, 9), ("part 1", 5, 16),
    ]  # fmt: skip
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["sum"] == 16
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "config.json", "last.pt", "metrics.json", "validation.jsonl", "weights.json", "weights.safetensors",
    ]  # fmt: skip


@pytest.mark.parametrize("stop", range(1, 10))
def test_a_run_stopped_anywhere_and_resumed_is_the_whole_one(tmp_path: Path, stop: int) -> None:
    """Weights, random numbers and validations, each once."""
    whole, _ = carry_out(config_of(tmp_path / "whole"), Sum)
    config = config_of(tmp_path)
    with pytest.raises(Interrupted, match="saved at step"):
        carry_out(config, lambda group: Stopping(group, stop))
    resumed, _ = carry_out(config, Sum, resume=True)
    assert torch.equal(resumed.network.weight, whole.network.weight)
    logs = [(folder / "run" / "validation.jsonl").read_text() for folder in (tmp_path / "whole", tmp_path)]
    assert logs[0] == logs[1]


@pytest.mark.parametrize(
    ("stop", "steps", "is_left"),
    [(3, (2, 5), False), (6, (4, 5), True), (6, (4, 1), False), (6, (4,), False), (9, (4, 6), True)],
)
def test_what_is_resumed_with_other_steps_has_some_left(
    tmp_path: Path, stop: int, steps: tuple[int, ...], is_left: bool
) -> None:
    """Of stages of 4 and 5 steps `stop` are done."""
    with pytest.raises(Interrupted):
        carry_out(config_of(tmp_path), lambda group: Stopping(group, stop))
    go_on = partial(carry_out, config_of(tmp_path), partial(Sum, steps=steps), resume=True, overwrite=True)
    if is_left:
        assert go_on()[0].calls[-1] == "end"
    else:
        with pytest.raises(InputError, match="nothing would be trained; finished stages are not lengthened"):
            go_on()


def test_a_run_that_has_ended_is_not_resumed_with_other_settings(tmp_path: Path) -> None:
    carry_out(config_of(tmp_path), Sum)
    with pytest.raises(InputError, match="nothing would be trained; finished stages are not lengthened"):
        carry_out(config_of(tmp_path, seed=1), Sum, resume=True, overwrite=True)
    task, _ = carry_out(config_of(tmp_path), partial(Sum, steps=(4, 5, 2)), resume=True)  # one more stage
    assert task.calls == ["begin 2", "step 0", "step 1", "validate", "end"]


def test_random_numbers_differ_by_seed_stage_step_and_process(tmp_path: Path) -> None:
    def draws(seed: int, rank: int) -> list[float]:
        task, found = Sum(Processes()), []
        task.step = lambda index, batch: found.append(torch.rand(()).item()) or {}  # type: ignore[method-assign]
        RunLoop(task, config_of(tmp_path, seed=seed), group=Processes(rank=rank)).run()
        return found

    assert len({*draws(0, 0), *draws(1, 0), *draws(0, 1)}) == 27 and draws(0, 0) == draws(0, 0)


def test_a_loop_leaves_the_random_numbers_of_its_caller_alone(tmp_path: Path) -> None:
    loop = RunLoop(Sum(Processes()), config_of(tmp_path))
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    loop.run()
    assert torch.equal(torch.rand(2), expected)


def test_bad_steps_are_counted_and_ten_in_a_row_are_the_end(tmp_path: Path, capsys) -> None:
    task = Sum(Processes(), steps=(30,))
    task.bad = {1, 2, *range(5, 14), 20}
    loop = RunLoop(task, config_of(tmp_path))
    loop.run()
    assert loop.skipped == 12
    task.bad = set(range(5, 15))
    with pytest.raises(MachineError, match="10 times in a row up to step 14"):
        RunLoop(task, config_of(tmp_path)).run()


def test_a_run_without_one_good_step_is_no_success(tmp_path: Path) -> None:
    def make(group: Processes) -> Sum:
        task = Sum(group, steps=(2, 3))
        task.bad = {0, 1, 2}
        return task

    with pytest.raises(MachineError, match="all 5 steps were skipped"):
        carry_out(config_of(tmp_path), make)
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_it_works_off_the_main_thread(tmp_path: Path) -> None:
    """Where no signal can be heard."""
    found: list[Any] = []

    def work() -> None:
        try:
            found.append(carry_out(config_of(tmp_path), Sum)[1])
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert found == [tmp_path / "run" / "weights.safetensors"]


def test_the_handler_of_the_caller_comes_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    carry_out(config_of(tmp_path), Sum)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_budget_of_minutes_stops_with_the_state_saved(tmp_path: Path) -> None:
    config = config_of(tmp_path, minutes=0.3 / 60)
    with pytest.raises(TimeIsUp, match="saved at step"):
        carry_out(config, partial(Slow, steps=(40,)))
    done = state_of(tmp_path)["step"]
    assert 1 <= done <= 4 and not state_of(tmp_path)["finished"]
    card = json.loads((tmp_path / "run" / "weights.json").read_text())
    assert not card["finished"] and card["steps_of_next"] == done
    task, _ = carry_out(config_of(tmp_path), partial(Slow, steps=(40,)), resume=True)
    assert task.network.weight[0, 0].item() == sum(range(40)) and state_of(tmp_path)["finished"]
    assert state_of(tmp_path)["seconds"] > 4.0  # of both parts


@pytest.mark.parametrize(("theirs", "kind"), [(1, TimeIsUp), (2, Interrupted)])
def test_what_stops_one_process_stops_all_alike(tmp_path: Path, theirs: int, kind: type) -> None:
    """The end of a budget is no failure, after which torchrun would start all anew."""

    class Pair(Processes):
        def largest(self, value: float) -> float:
            return max(value, theirs)

    with pytest.raises(Interrupted) as stop:
        RunLoop(Sum(Processes()), config_of(tmp_path), group=Pair()).run()
    assert type(stop.value) is kind


def test_only_stages_run_in_several_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda *_, **__: None)
    monkeypatch.setattr(torch.distributed, "destroy_process_group", lambda: None)
    monkeypatch.setattr(torch.distributed, "barrier", lambda: None)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 0)
    with pytest.raises(InputError, match="one process; start it without torchrun"):
        carry_out(config_of(tmp_path), Sum)


# ---- processes that make samples


def test_a_killed_worker_is_one_line_and_the_machines_fault(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"makes samples has ended.*--resume") as error:
        carry_out(config_of(tmp_path), partial(Sum, samples=Dying("killed"), workers=1))
    assert "\n" not in str(error.value) and error.value.exit_code == 3


def test_sigterm_ends_a_run_whose_worker_never_answers(tmp_path: Path) -> None:
    timer = threading.Timer(4.0, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    with pytest.raises(Interrupted, match="saved at step 3 of part 0"):
        carry_out(config_of(tmp_path), partial(Sum, samples=Dying("asleep"), workers=1))
    task, _ = carry_out(config_of(tmp_path), Sum, resume=True)
    assert task.network.weight[0, 0].item() == 16
    lines = [json.loads(line) for line in (tmp_path / "run" / "validation.jsonl").read_text().splitlines()]
    assert [(line["stage"][-1], line["step"]) for line in lines] == [
        ("0", 3),
        ("0", 4),
        ("1", 3),
        ("1", 5),
    ]  # once each
