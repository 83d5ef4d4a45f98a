"""The one loop of everything that learns: progress, checkpoints, exact resume, SIGTERM, skipped steps, seeds.

What learns is a `Task`. Step `s` of a stage is a function of (seed, stage, s, process) and of the state before it, so a
run that was stopped and resumed repeats an uninterrupted one bit for bit on the CPU.
"""

import json
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn
from tqdm import tqdm

from pose2mesh.errors import MachineError
from pose2mesh.synthesis.bodies import seeded_generator
from pose2mesh.training.config import RunConfig
from pose2mesh.training.distributed import Processes, dead_processes_told, pick_device, processes
from pose2mesh.training.run_folder import RunFolder, Stateful, open_board, open_folder

MOST_BAD_STEPS = 10  # losses or gradients in a row that are not finite, before a run gives up
_SHOWN_EVERY = 20  # steps
Parts = Mapping[str, Tensor | float]  # of a loss, to be shown


class Interrupted(Exception):
    """SIGTERM arrived; the state has been saved."""


class TimeIsUp(Interrupted):
    """`minutes` have passed; the state has been saved."""


_STOPS = (TimeIsUp, Interrupted)  # the later one wins where processes differ


class Stage(Protocol):
    """A part of a run."""

    @property
    def name(self) -> str: ...
    @property
    def steps(self) -> int: ...
    @property
    def batch_size(self) -> int: ...


def seed_step(*key: int) -> None:
    """Dropout as well is to be a function of the step, or a resumed run would not repeat it."""
    torch.manual_seed(seeded_generator(*key).initial_seed())


class Task(ABC):
    """What a run repeats. A subclass sets `stages` and makes its weights before the loop begins."""

    stages: Sequence[Stage]
    validate_every = 0  # steps; 0: never
    streams = 1  # batches that a step sees

    @property
    def is_done(self) -> bool:
        """A stage may end before its last step, after a validation."""
        return False

    def begin(self, stage: int) -> None:  # noqa: B027 (not every task needs it)
        """Prepare a stage: its optimizer, its data. Called before the state of an interrupted stage is loaded."""

    def batches(self, start: int) -> Iterator[Any]:
        """What the steps from `start` to the end of the stage see; nothing where a step makes its own."""
        return iter(lambda: None, 0)

    @abstractmethod
    def step(self, index: int, batch: Any) -> Parts | None:
        """Change the weights once; the parts of the loss, or None where it was not finite and nothing changed."""

    def validate(self, done: int) -> Iterable[dict[str, Any]]:
        """Lines for validation.jsonl, after `done` steps of the stage."""
        return ()

    def end(self) -> None:  # noqa: B027
        """A stage is over."""

    def records(self) -> dict[str, dict[str, Any]]:
        """JSON files to write when the run has ended, by name: what was measured."""
        return {}

    @abstractmethod
    def parts(self) -> dict[str, Stateful]:
        """Everything that changes from step to step, by name."""

    @abstractmethod
    def save_weights(self, path: Path) -> nn.Module:
        """Write the weights as they are to be used; returns the network."""


AnyTask = TypeVar("AnyTask", bound=Task)


def carry_out(
    config: RunConfig,
    make: Callable[[Processes], AnyTask],
    *,
    resume: bool = False,
    overwrite: bool = False,
    streams: int = 0,
    **extra: Any,
) -> tuple[AnyTask, Path]:
    """Make a task and run it in `config.output`; returns it and its weights file. The whole life of one process.

    `resume` goes on from the state in the folder; `overwrite` allows to replace the run in it, or to go on with other
    settings. `extra` are settings beside `config`. Raises what `open_folder` and `RunLoop.run` do, and InputError where
    the `streams` of a step cannot be shared out among the processes; 0: the task knows of one process alone.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    with processes(pick_device(config.device)) as group:
        group.refuse_uneven(streams)
        with open_folder(config, group, resume=resume, overwrite=overwrite, **extra) as folder:
            torch.manual_seed(config.seed)
            if group.is_first:
                tqdm.write(f"{folder.path}: preparing the network and what it learns from")
            task = make(group)
            RunLoop(task, config, folder, group).run()
            group.barrier()
            return task, folder.weights


def run_task(
    kind: Callable[[Any, Processes], Task], config: RunConfig, resume: bool = False, overwrite: bool = False
) -> Path:
    """Make a task of its configuration and run it; returns OUTPUT/weights.safetensors. Raises as `carry_out` does."""
    return carry_out(config, partial(kind, config), resume=resume, overwrite=overwrite)[1]


class RunLoop:
    """Repeats a task to its end. Without a folder nothing is written, and nothing shown."""

    def __init__(self, task: Task, config: RunConfig, folder: RunFolder | None = None, group: Processes | None = None):
        self.task, self.config, self.folder = task, config, folder
        self.group = group or Processes()
        self.is_shown = folder is not None and self.group.is_first
        self.skipped = self._bad = 0
        self._stop: Interrupted | None = None
        self._is_waiting = self._is_validated = False  # for a batch, which may never come; at the step that is done
        self._saved = time.monotonic()
        self._samples, self._seconds = 0, 0.0  # of the steps since the start
        self._board = open_board(folder.path) if self.is_shown and folder and config.tensorboard else None

    def run(self) -> None:
        """All stages that are left. Raises Interrupted, TimeIsUp; MachineError after ten bad steps in a row."""
        first, start = self.folder.place([stage.steps for stage in self.task.stages]) if self.folder else (0, 0)
        with self._heed_sigterm(), dead_processes_told(), torch.random.fork_rng(devices=[]):
            for index in range(first, len(self.task.stages)):
                self.task.begin(index)
                if index > first:
                    self._save(index, 0)
                elif self.folder:
                    self.skipped, self._is_validated = self.folder.begin(self.task.parts())
                self._run_stage(index, start if index == first else 0)
                self.task.end()
            if self.folder and first < len(self.task.stages):
                self._finish(self.folder)

    def _finish(self, folder: RunFolder) -> None:
        if self.skipped and self.skipped == sum(stage.steps for stage in self.task.stages):
            raise MachineError(
                f"{folder.path}: all {self.skipped} steps were skipped, for no loss or gradient was finite: nothing "
                "was learned; lower the learning_rate, or look for wrong numbers in loss, data and initial weights"
            )
        if self.group.is_first:
            for name, record in self.task.records().items():
                folder.write(name, {**record, **folder.recipe})
        self._save(len(self.task.stages), 0)

    def _run_stage(self, index: int, done: int) -> None:
        """The steps of a stage that are left, `done` of them are behind us."""
        stage, batches, is_warm = self.task.stages[index], self.task.batches(done), False
        with tqdm(total=stage.steps, initial=done, desc=stage.name, disable=not self.is_shown) as bar:
            while True:
                if self._is_validation(stage, done) and not self._is_validated:  # a state may be saved before it
                    self._validate(stage, done)
                    self._is_validated = True
                if done == stage.steps or self.task.is_done:
                    return
                started = time.monotonic()
                try:
                    parts = self._step(index, done, batches)
                except Interrupted as stop:  # nothing has happened yet in this step
                    self._leave(index, done, type(stop))
                self._report(bar, stage, done, parts)
                done, self._is_validated = done + 1, False
                if is_warm:
                    self._samples += stage.batch_size * self.task.streams
                    self._seconds += time.monotonic() - started
                is_warm = True
                self._checkpoint(index, done)

    def _step(self, index: int, step: int, batches: Iterator[Any]) -> Parts | None:
        self._is_waiting = self.group.count == 1  # several processes have to stop at the same step
        try:
            batch = next(batches)
            self._is_waiting = False
            seed_step(self.config.seed, index, step, self.group.rank)
            return self.task.step(step, batch)
        finally:
            self._is_waiting = False

    def _is_validation(self, stage: Stage, done: int) -> bool:
        return (every := self.task.validate_every) > 0 and done > 0 and (done % every == 0 or done == stage.steps)

    def _validate(self, stage: Stage, done: int) -> None:
        if not self.group.is_first:
            return
        for found in self.task.validate(done):
            line = {"stage": stage.name, "step": done, **found}
            if self.folder:
                tqdm.write(json.dumps(line))
                self.folder.log(line)
            self._draw({f"validation/{k}": v for k, v in line.items() if isinstance(v, float)}, done)

    def _report(self, bar: tqdm, stage: Stage, step: int, parts: Parts | None) -> None:
        """Show progress; say which steps were skipped. Raises MachineError after too many of them in a row."""
        self._bad = 0 if parts is not None else self._bad + 1
        self.skipped += parts is None
        if self._bad >= MOST_BAD_STEPS:
            raise MachineError(
                f"{stage.name}: loss or gradient was not finite {self._bad} times in a row up to step {step}; lower "
                f"the learning_rate{f' and go on from {self.folder.path}: --resume --overwrite' if self.folder else ''}"
            )
        if parts is None and self.is_shown:
            tqdm.write(f"{stage.name}: step {step} skipped, its loss or gradient was not finite")
        bar.update()
        if parts and self.folder and step % _SHOWN_EVERY == 0:
            mean = self.group.mean(torch.tensor([float(value) for value in parts.values()], device=self.group.device))
            values = dict(zip(parts, mean.tolist(), strict=True))
            shown = {"skipped": f"{self.skipped}"} if self.skipped else {}
            shown |= {"samples/s": f"{self.speed:.0f}"} if self.speed else {}
            bar.set_postfix({k: f"{v:.3g}" for k, v in values.items()} | shown)
            self._draw({f"{stage.name}/{name}": value for name, value in values.items()}, step)

    @property
    def speed(self) -> float:
        """Samples a second of all processes together, the first step of each stage left out."""
        return self._samples / self._seconds if self._seconds else 0.0

    def _draw(self, values: dict[str, float], step: int) -> None:
        """Add points to the TensorBoard curves, if there are any."""
        if self._board:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    # ---- stopping

    def _checkpoint(self, index: int, done: int) -> None:
        """Save now and then, and where the run is to stop."""
        limit = self.config.minutes
        if self.folder and limit and self.folder.seconds > 60 * limit and not self._stop:
            self._stop = TimeIsUp()
        own = 1 + _STOPS.index(type(self._stop)) if self._stop else 0
        if told := int(self.group.largest(own)):  # all processes end alike, whichever was told to
            self._leave(index, done, _STOPS[told - 1])
        if time.monotonic() - self._saved > 60 * self.config.checkpoint_minutes:
            self._save(index, done)

    def _leave(self, index: int, done: int, kind: type[Interrupted]) -> None:
        self._save(index, done)
        raise kind(f"saved at step {done} of {self.task.stages[index].name}")

    def _save(self, index: int, done: int) -> None:
        self._saved = time.monotonic()
        if self.folder and self.group.is_first:
            self.folder.save(index, done, self.task, self.skipped, self.speed, self._is_validated)

    @contextmanager
    def _heed_sigterm(self) -> Iterator[None]:
        """SIGTERM stops the run after the step that goes on, or at once while it waits for samples.

        Only the main thread can be told of signals; in another one the run is left to its owner.
        """
        if self.folder is None or threading.current_thread() is not threading.main_thread():
            yield
            return
        previous = signal.signal(signal.SIGTERM, self._on_sigterm)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, previous)

    def _on_sigterm(self, *_) -> None:
        self._stop = Interrupted()
        if self._is_waiting:
            self._is_waiting = False
            raise self._stop
