"""The folder of a run: one writer, no line twice, and what is refused."""

import json
from functools import partial
from pathlib import Path

import pytest
from counting_task import Slow, Stopping, Sum, config_of, state_of

from pose2mesh.errors import InputError
from pose2mesh.training.distributed import Processes
from pose2mesh.training.run_loop import Interrupted, Task, carry_out


def test_a_killed_run_leaves_no_line_twice(tmp_path: Path) -> None:
    """It had validated, and begun to write another line, after its last state was saved."""
    with pytest.raises(Interrupted):
        carry_out(config_of(tmp_path), lambda group: Stopping(group, 4))
    with (tmp_path / "run" / "validation.jsonl").open("a") as log:
        log.write('{"stage": "part 0", "step": 4, "sum": 6.0}\n{"stage": "pa')
    carry_out(config_of(tmp_path), Sum, resume=True)
    lines = [json.loads(line) for line in (tmp_path / "run" / "validation.jsonl").read_text().splitlines()]
    assert [(line["stage"], line["step"]) for line in lines] == [
        ("part 0", 3), ("part 0", 4), ("part 1", 3), ("part 1", 5),
    ]  # fmt: skip


def test_torchrun_starts_a_run_that_is_to_go_on_though_there_is_none(tmp_path: Path, monkeypatch) -> None:
    """Every attempt has the same command."""
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    carry_out(config_of(tmp_path), Sum, resume=True)
    assert state_of(tmp_path)["finished"]
    (tmp_path / "run" / "last.pt").unlink()
    with pytest.raises(InputError, match="holds the weights of a finished run"):
        carry_out(config_of(tmp_path), Sum, resume=True)


def test_processes_that_see_different_states_do_not_go_on(tmp_path: Path, monkeypatch) -> None:
    """As where each machine has a folder of its own."""
    monkeypatch.setattr(Processes, "agree", lambda *_: False)
    with pytest.raises(InputError, match="all machines must share this folder"):
        carry_out(config_of(tmp_path), Sum)


def test_the_card_says_how_many_samples_a_second_were_made(tmp_path: Path) -> None:
    carry_out(config_of(tmp_path), partial(Slow, steps=(8,)))
    speed = json.loads((tmp_path / "run" / "weights.json").read_text())["samples_per_second"]
    assert 1 < speed <= 10  # a batch of one takes a tenth of a second at least


def test_two_runs_do_not_write_one_folder(tmp_path: Path) -> None:
    config = config_of(tmp_path)

    def second(group: Processes) -> Task:
        with pytest.raises(InputError, match="another run is writing this folder"):
            carry_out(config, Sum, overwrite=True)
        return Sum(group)

    carry_out(config, second)
    carry_out(config, Sum, overwrite=True)


def test_the_lock_of_a_dead_process_holds_nobody(tmp_path: Path) -> None:
    """As kill -9 leaves it."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.lock").touch()
    carry_out(config_of(tmp_path), Sum)


def test_a_run_that_never_began_leaves_no_folder(tmp_path: Path) -> None:
    def fails(group: Processes) -> Task:
        raise InputError("no motion")

    with pytest.raises(InputError, match="no motion"):
        carry_out(config_of(tmp_path), fails)
    assert not (tmp_path / "run").exists()


def test_an_overwritten_run_leaves_no_lines_behind(tmp_path: Path) -> None:
    carry_out(config_of(tmp_path), Sum)
    before = (tmp_path / "run" / "validation.jsonl").read_text()
    carry_out(config_of(tmp_path), Sum, overwrite=True)
    assert (tmp_path / "run" / "validation.jsonl").read_text() == before


def test_other_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        carry_out(config_of(tmp_path), lambda group: Stopping(group, 2), method="first")
    with pytest.raises(InputError, match=r"\(seed: 0 there, 4 here; method: first there, second here\)"):
        carry_out(config_of(tmp_path, seed=4), Sum, resume=True, method="second")
    carry_out(config_of(tmp_path, seed=4), Sum, resume=True, overwrite=True, method="second")
