"""An interrupted run, resumed, ends with the same bits as one that was left alone."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny_run import STEPS, tiny_run

from pose2mesh.errors import FormatError, InputError
from pose2mesh.training.config import TrainConfig
from pose2mesh.training.state import load_state
from pose2mesh.training.trainer import Interrupted, Trainer, train


def config_of(folder: Path, **changes) -> TrainConfig:
    return TrainConfig.model_validate(tiny_run(folder, **changes))


def digest(folder: Path) -> dict[str, str]:
    """sha256 of the weights file, and of the last state's network, average and optimizer."""
    state = load_state(folder / "run" / "last.pt")
    content = {"weights": (folder / "run" / "weights.safetensors").read_bytes()}
    for part in ("network", "ema"):
        content[part] = b"".join(v.numpy().tobytes() for v in state[part].values())
    moments = state["optimizer"]["state"]
    content["optimizer"] = b"".join(v.numpy().tobytes() for i in sorted(moments) for v in moments[i].values())
    return {name: hashlib.sha256(value).hexdigest() for name, value in content.items()}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, str]]:
    """Digest of the whole run in a precision, made once."""
    known: dict[str, dict[str, str]] = {}

    def of(precision: str) -> dict[str, str]:
        if precision not in known:
            folder = tmp_path_factory.mktemp(precision)
            train(config_of(folder, precision=precision))
            known[precision] = digest(folder)
        return known[precision]

    return of


def stop_after(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """As if SIGTERM arrived during step number `count` of the whole run."""
    step, done = Trainer._step, []

    def counted(self: Trainer, *arguments, **keywords):
        done.append(1)
        self.stop_requested = len(done) == count
        return step(self, *arguments, **keywords)

    monkeypatch.setattr(Trainer, "_step", counted)


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
    assert digest(tmp_path) != uninterrupted(precision)
    train(config, resume=True)
    assert digest(tmp_path) == uninterrupted(precision)


def test_two_interruptions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uninterrupted) -> None:
    config = config_of(tmp_path)
    for count, is_resumed in ((4, False), (STEPS[0] - 4 + 2, True)):
        with monkeypatch.context() as patch:
            stop_after(patch, count)
            with pytest.raises(Interrupted):
                train(config, resume=is_resumed)
    assert load_state(tmp_path / "run" / "last.pt")["stage"] == 1
    train(config, resume=True)
    assert digest(tmp_path) == uninterrupted("float32")


def test_precisions_and_seeds_differ(tmp_path: Path, uninterrupted) -> None:
    train(config_of(tmp_path, seed=1))
    runs = [digest(tmp_path), uninterrupted("float32"), uninterrupted("bfloat16")]
    assert len({run["weights"] for run in runs}) == 3


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    train(config)
    before = digest(tmp_path)
    train(config, resume=True)
    assert digest(tmp_path) == before


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
    train(config)  # a run that has ended may be repeated


def test_what_cannot_be_resumed(tmp_path: Path) -> None:
    config = tiny_run(tmp_path)
    with pytest.raises(InputError, match="nothing to resume"):
        train(TrainConfig.model_validate(config), resume=True)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "last.pt").write_bytes(b"no state")
    with pytest.raises(FormatError, match=r"last\.pt"):
        train(TrainConfig.model_validate(config), resume=True)


def test_other_settings_do_not_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_run(tmp_path)
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(Interrupted):
            train(TrainConfig.model_validate(config))
    other = tiny_run(tmp_path)
    other["network"]["lifter"]["width"] = 40
    with pytest.raises(InputError, match="another network"):
        train(TrainConfig.model_validate(other), resume=True)
    other = tiny_run(tmp_path)
    other["stages"][0]["optimizer"] = "rmsprop"
    with pytest.raises(InputError, match=r"stages\.0"):
        train(TrainConfig.model_validate(other), resume=True)


def test_state_is_what_the_weights_were_made_from(tmp_path: Path) -> None:
    weights = train(config_of(tmp_path))
    from safetensors.torch import load_file

    average = load_state(tmp_path / "run" / "last.pt")["ema"]
    for name, value in load_file(weights).items():
        assert torch.equal(value, average[name]), name
