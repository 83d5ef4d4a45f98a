"""The folder of a run: who may write it, what it holds, and how a run goes on in it.

last.pt (the state), weights.safetensors with its card weights.json, config.json, validation.jsonl.
"""

import hashlib
import json
import os
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import torch
from pydantic import ValidationError

from pose2mesh.errors import InputError, optional_import
from pose2mesh.ops.machine import describe_machine
from pose2mesh.paths import held, json_text, write_json
from pose2mesh.settings import flat
from pose2mesh.training.config import RunConfig
from pose2mesh.training.distributed import Processes
from pose2mesh.training.state import check_folder, load_state, make_folder, save_state, versions

_SHOWN = 6  # differences that an error spells out


class Stateful(Protocol):
    """A network, an optimizer, a record."""

    def state_dict(self) -> Mapping[str, Any]: ...
    def load_state_dict(self, state: Any, /) -> Any: ...


class RunFolder:
    """One run's place on disk, held by this process; made by `open_folder`."""

    def __init__(self, config: RunConfig, group: Processes, state: dict[str, Any] | None, extra: dict[str, Any]):
        """`state` of the run that goes on, None for a new one; `extra` settings that are not in the configuration."""
        self.path, self.group, self._state = Path(config.output), group, state
        plain = config.model_dump(mode="json")
        self.settings = {**plain, **extra}
        self.recipe = {**extra, "versions": versions(), "config": plain}  # what a record of the run tells of it
        self.is_changed = False  # by settings that the run to resume did not have
        self._before = state["seconds"] if state else 0.0
        self._started = time.monotonic()

    def place(self, steps: Sequence[int]) -> tuple[int, int]:
        """The stage and the step to begin with, of stages of so many `steps`.

        Raises InputError where a run is resumed with other settings by which nothing is left of it.
        """
        if not self._state:
            return 0, 0
        stage, step = self._state["stage"], self._state["step"]
        is_past = step > steps[stage] if stage < len(steps) else (stage, step) > (len(steps), 0) or self.is_changed
        if is_past:
            raise InputError(
                f"--resume: the run in {self.path} has done {stage} stages and {step} steps of the next, and by these "
                "settings no more: nothing would be trained; finished stages are not lengthened; add a stage, or begin "
                "another run from its weights"
            )
        return stage, step

    @property
    def weights(self) -> Path:
        return self.path / "weights.safetensors"

    @property
    def seconds(self) -> float:
        """Since this process opened the folder."""
        return time.monotonic() - self._started

    def begin(self, parts: Mapping[str, Stateful]) -> tuple[int, bool]:
        """Load the state into `parts`, or make room for a new run.

        Returns the steps skipped so far, and whether it was validated at the step that it was left at.
        """
        known = (self._state["skipped"], self._state.get("validated", False)) if self._state else (0, False)
        if self._state:
            self._load(self._state, parts)
        if not self.group.is_first:
            return known
        make_folder(self.path)
        if not self._state:  # of the run that this one replaces; its weights stay until there are others
            for name in ("last.pt", "validation.jsonl"):
                (self.path / name).unlink(missing_ok=True)
        elif self._log_size() > (size := self._state.get("log", sys.maxsize)):  # a run that was killed went further
            os.truncate(self.path / "validation.jsonl", size)
        self.write("config.json", {**self.recipe, **self._circumstances()})
        return known

    def _load(self, state: dict[str, Any], parts: Mapping[str, Stateful]) -> None:
        for name, part in parts.items():
            try:
                part.load_state_dict(state["parts"][name])
            except (KeyError, RuntimeError, ValueError) as error:
                reason = str(error).strip().splitlines()[0]
                raise InputError(
                    f"{self.path / 'last.pt'} holds another {name} than these settings describe ({reason}); resume "
                    "with its own, those in config.json"
                ) from error

    def save(self, stage: int, step: int, task: Any, skipped: int, speed: float, is_validated: bool) -> None:
        """Write the state, the weights and their card."""
        finished = stage == len(task.stages)
        state = {
            "stage": stage, "step": step, "finished": finished, "skipped": skipped,
            "validated": is_validated,
            "parts": {name: part.state_dict() for name, part in task.parts().items()},
            "config": json.dumps(self.settings), "processes": self.group.count,
            "versions": versions(), "seconds": self._before + self.seconds, "log": self._log_size(),
        }  # fmt: skip
        save_state(self.path / "last.pt", state)
        network = task.save_weights(self.weights)
        card = {
            "file": self.weights.name, "sha256": hashlib.sha256(self.weights.read_bytes()).hexdigest(),
            "parameters": sum(p.numel() for p in network.parameters()), "finished": finished,
            "stages_done": stage, "steps_of_next": step, "steps_skipped": skipped,
            "hours": round(state["seconds"] / 3600, 3), "samples_per_second": round(speed, 1),
            "seed": self.settings["seed"], "validation": self._last_lines(), **self._circumstances(), **self.recipe,
        }  # fmt: skip
        self.write("weights.json", card)

    def write(self, name: str, record: dict[str, Any]) -> None:
        """A JSON file of the folder, atomically."""
        write_json(self.path / name, record)

    def log(self, line: dict[str, Any]) -> None:
        """A line of validation.jsonl."""
        with (self.path / "validation.jsonl").open("a") as log:
            log.write(json_text(line) + "\n")

    def _log_size(self) -> int:
        log = self.path / "validation.jsonl"
        return log.stat().st_size if log.is_file() else 0

    def _last_lines(self) -> list[dict[str, Any]]:
        """Of the last validation."""
        log = self.path / "validation.jsonl"
        lines = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
        return [line for line in lines if (line["stage"], line["step"]) == (lines[-1]["stage"], lines[-1]["step"])]

    def _circumstances(self) -> dict[str, Any]:
        command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
        machine = describe_machine(self.group.device)
        return {"command": command, "machine": machine, "processes": self.group.count}


@contextmanager
def open_folder(
    config: RunConfig, group: Processes, *, resume: bool, overwrite: bool, **extra: Any
) -> Iterator[RunFolder]:
    """The folder `config.output` for a new run or, with `resume`, for the one in it.

    Raises InputError before anything is computed: where it cannot be written, where another process writes it, where
    there is nothing to resume, where it holds a run already or the settings are others than those of the run to resume
    and `overwrite` does not say that this is meant.
    """
    path = check_folder(config.output)
    with _locked(path) if group.is_first else nullcontext():
        state = _state_to_resume(path) if resume else None
        if not group.agree(state["seconds"] if state else -1.0):
            raise InputError(f"{path}: the processes see different states in it; all machines must share this folder")
        if not state and not overwrite:
            _refuse_used(path)
        folder = RunFolder(config, group, state, extra)
        if state and (changes := _other_settings(config, folder.settings, state)):
            folder.is_changed = True
            if not overwrite:
                raise InputError(
                    f"--resume: the run in {config.output} has other settings ({changes}); give the same, or "
                    "--overwrite to go on with these"
                )
        yield folder


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the folder against other runs. What was made for it goes."""
    is_new = not path.exists()
    make_folder(path)
    try:
        with held(path / "run.lock", f"output={path}: another run is writing this folder; name another, or wait"):
            yield
    finally:
        if is_new and not any(path.iterdir()):
            path.rmdir()


def _state_to_resume(path: Path) -> dict[str, Any] | None:
    """None where torchrun has begun this run, for it starts every attempt with the same command."""
    if not (path / "last.pt").is_file():
        if torch.distributed.is_torchelastic_launched():
            return None
        raise InputError(f"nothing to resume: {path / 'last.pt'} does not exist; start without --resume")
    return load_state(path / "last.pt")


def _refuse_used(path: Path) -> None:
    """Hours of a run are not overwritten by a second call."""
    state, weights = path / "last.pt", path / "weights.safetensors"
    if state.is_file() and not load_state(state)["finished"]:
        raise InputError(
            f"{state} is of a run that has not ended; go on with --resume, name another output, or --overwrite it"
        )
    if state.is_file() or weights.is_file():
        raise InputError(f"output={path} holds the weights of a finished run; name another, or --overwrite them")


def _other_settings(config: RunConfig, ours: dict[str, Any], state: dict[str, Any]) -> str:
    """Those that the run to resume had, for a line; "" where they are the same."""
    theirs = {"streams": state["processes"], **json.loads(state["config"])}  # once each process had one, unsaid
    names = type(config).model_fields
    try:  # settings that a newer version has added count as their defaults
        known = type(config).model_validate({name: value for name, value in theirs.items() if name in names})
        theirs = {**theirs, **known.model_dump(mode="json")}
    except ValidationError:
        pass
    if "streams" not in names:
        del theirs["streams"]
    old, new = flat(theirs), flat(ours)
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key) and not config.is_free(key)]
    shown = "; ".join(f"{key}: {old.get(key)} there, {new.get(key)} here" for key in keys[:_SHOWN])
    return shown + (f"; and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else "")


def open_board(output: Path):
    """A TensorBoard writer. Raises MissingDependencyError without the package."""
    with optional_import("tensorboard=true needs `pip install 'pose2mesh[tensorboard]'`"):
        from torch.utils.tensorboard import SummaryWriter
    return SummaryWriter(str(output / "tensorboard"))
