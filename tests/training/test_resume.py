"""An interrupted run, resumed, ends with the same bits as one that was left alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from interrupted_runs import digest, stop_after
from tiny_run import STEPS, tiny_run

from pose2mesh.errors import FormatError, InputError
from pose2mesh.training.config import TrainConfig
from pose2mesh.training.run_loop import Interrupted
from pose2mesh.training.state import load_state, save_state
from pose2mesh.training.trainer import train


def config_of(folder: Path, **changes) -> TrainConfig:
    return TrainConfig.model_validate(tiny_run(folder, **changes))


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, str]]:
    """Digest of the whole run in a precision, made once."""
    known: dict[str, dict[str, str]] = {}

    def of(precision: str) -> dict[str, str]:
        if precision not in known:
            folder = tmp_path_factory.mktemp(precision)
            train(config_of(folder, precision=precision))
            known[precision] = digest(folder / "run")
        return known[precision]

    return of


@pytest.mark.parametrize(
    ("precision", "workers", "stop"),
    [
        ("float32", 0, 1),
        ("float32", 0, STEPS[0]),  # the last step of the first stage
        ("float32", 2, STEPS[0] + 3),
        ("bfloat16", 0, STEPS[0] + 5),
        ("bfloat16", 2, 7),
    ],
)
def test_resumed_run_is_the_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uninterrupted, precision: str, workers: int, stop: int
) -> None:
    """The run that is left alone has no workers, so their number does not matter either."""
    config = config_of(tmp_path, precision=precision, data={"workers": workers})
    with monkeypatch.context() as patch:
        stop_after(patch, stop)
        with pytest.raises(Interrupted, match="saved at step"):
            train(config)
    assert digest(tmp_path / "run") != uninterrupted(precision)
    train(config, resume=True)
    assert digest(tmp_path / "run") == uninterrupted(precision)


def test_two_interruptions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uninterrupted) -> None:
    config = config_of(tmp_path)
    for count, is_resumed in ((4, False), (STEPS[0] - 4 + 2, True)):
        with monkeypatch.context() as patch:
            stop_after(patch, count)
            with pytest.raises(Interrupted):
                train(config, resume=is_resumed)
    assert load_state(tmp_path / "run" / "last.pt")["stage"] == 1
    train(config, resume=True)
    assert digest(tmp_path / "run") == uninterrupted("float32")


def test_precisions_and_seeds_differ(tmp_path: Path, uninterrupted) -> None:
    train(config_of(tmp_path, seed=1))
    runs = [digest(tmp_path / "run"), uninterrupted("float32"), uninterrupted("bfloat16")]
    assert len({run["weights"] for run in runs}) == 3


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    train(config)
    before = digest(tmp_path / "run")
    train(config, resume=True)
    assert digest(tmp_path / "run") == before


def test_an_interrupted_run_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, state = config_of(tmp_path), tmp_path / "run" / "last.pt"
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises(Interrupted):
            train(config)
    before = state.read_bytes()
    with pytest.raises(InputError, match="go on with --resume"):
        train(config)
    assert state.read_bytes() == before
    train(config, resume=True)


def test_what_cannot_be_resumed(tmp_path: Path) -> None:
    config = tiny_run(tmp_path)
    with pytest.raises(InputError, match="nothing to resume"):
        train(TrainConfig.model_validate(config), resume=True)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "last.pt").write_bytes(b"no state")
    with pytest.raises(FormatError, match=r"last\.pt"):
        train(TrainConfig.model_validate(config), resume=True)


def test_a_finished_run_is_overwritten_only_when_told(tmp_path: Path, uninterrupted) -> None:
    config = config_of(tmp_path)
    train(config)
    with pytest.raises(InputError, match="finished run; name another, or --overwrite"):
        train(config_of(tmp_path, seed=1))
    assert digest(tmp_path / "run") == uninterrupted("float32")
    (tmp_path / "run" / "last.pt").unlink()  # weights alone are a run as well
    with pytest.raises(InputError, match="finished run"):
        train(config)
    train(config_of(tmp_path, seed=1), overwrite=True)
    assert digest(tmp_path / "run") != uninterrupted("float32")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("stages", 0, "learning_rate", 5e-4), "stages.0.learning_rate: 0.001 there, 0.0005 here"),
        (("stages", 1, "batch_size", 4), "stages.1.batch_size: 3 there, 4 here"),
        (("stages", 0, "steps", 40), "stages.0.steps: 10 there, 40 here"),
        (("network", "lifter", "width", 40), r"network.lifter.width: \d+ there, 40 here"),
        (("seed", 3), "seed: 0 there, 3 here"),
        (("data", "children", 0.5), "data.children: 0.2 there, 0.5 here"),
    ],
)
def test_other_settings_do_not_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change, named: str) -> None:
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(Interrupted):
            train(config_of(tmp_path))
    before = digest(tmp_path / "run")
    other: Any = tiny_run(tmp_path)
    place = other
    *keys, last, value = change
    for key in keys:
        place = place[key]
    place[last] = value
    with pytest.raises(InputError, match=rf"other settings \({named}\).*--overwrite"):
        train(TrainConfig.model_validate(other), resume=True)
    assert digest(tmp_path / "run") == before


def test_a_state_of_processes_that_had_a_stream_each_names_its_streams(tmp_path: Path, monkeypatch) -> None:
    """Once a step had as many batches as there were processes, and no word of it in the settings."""
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(Interrupted):
            train(config_of(tmp_path, streams=2))
    state = load_state(tmp_path / "run" / "last.pt")
    before = {name: value for name, value in json.loads(state["config"]).items() if name != "streams"}
    save_state(tmp_path / "run" / "last.pt", {**state, "config": json.dumps(before), "processes": 2})
    with pytest.raises(InputError, match=r"\(streams: 2 there, 1 here\)"):
        train(config_of(tmp_path), resume=True)
    train(config_of(tmp_path, streams=2), resume=True)


def test_settings_that_change_no_weight_may_change(tmp_path: Path, monkeypatch, uninterrupted) -> None:
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(Interrupted):
            train(config_of(tmp_path, checkpoint_minutes=3.0))
    train(config_of(tmp_path, data={"workers": 1}, checkpoint_minutes=0.001, validate_every=7), resume=True)
    assert digest(tmp_path / "run") == uninterrupted("float32")


def test_overwrite_goes_on_with_other_settings_but_not_with_another_network(tmp_path: Path, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(Interrupted):
            train(config_of(tmp_path))
    other: Any = tiny_run(tmp_path)
    other["network"]["lifter"]["width"] = 40
    with pytest.raises(InputError, match="another network than these settings describe"):
        train(TrainConfig.model_validate(other), resume=True, overwrite=True)
    other = tiny_run(tmp_path)
    other["stages"][0]["learning_rate"] = 1e-5
    train(TrainConfig.model_validate(other), resume=True, overwrite=True)
    assert load_state(tmp_path / "run" / "last.pt")["finished"]


def test_state_is_what_the_weights_were_made_from(tmp_path: Path) -> None:
    weights = train(config_of(tmp_path))
    from safetensors.torch import load_file

    average = load_state(tmp_path / "run" / "last.pt")["parts"]["average"]
    for name, value in load_file(weights).items():
        assert torch.equal(value, average[name]), name
