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
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn
from tqdm import tqdm

from pose2mesh.errors import InputError, MachineError, MissingDependencyError
from pose2mesh.synthesis.bodies import seeded_generator
from pose2mesh.training.config import RunConfig
from pose2mesh.training.distributed import Processes, pick_device, processes
from pose2mesh.training.run_folder import RunFolder, Stateful, open_folder

MOST_BAD_STEPS = 10  # losses or gradients in a row that are not finite, before a run gives up
_SHOWN_EVERY = 20  # steps
Parts = Mapping[str, Tensor | float]  # of a loss, to be shown


class Interrupted(Exception):
    """SIGTERM arrived; the state has been saved."""


class TimeIsUp(Interrupted):
    """`minutes` have passed; the state has been saved."""


class Stage(Protocol):
    """A part of a run."""

    @property
    def name(self) -> str: ...
    @property
    def steps(self) -> int: ...
    @property
    def batch_size(self) -> int: ...


class Task(ABC):
    """What a run repeats. A subclass sets `stages` and makes its weights before the loop begins."""

    stages: Sequence[Stage]
    validate_every = 0  # steps; 0: never

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
    is_parallel: bool = False,
    **extra: Any,
) -> tuple[AnyTask, Path]:
    """Make a task and run it in `config.output`; returns it and its weights file. The whole life of one process.

    `resume` goes on from the state in the folder; `overwrite` allows to replace the run in it, or to go on with other
    settings. `extra` are settings beside `config`. Raises what `open_folder` and `RunLoop.run` do, and InputError for
    several processes where the task knows of one.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    with processes(pick_device(config.device)) as group:
        if group.count > 1 and not is_parallel:
            raise InputError("this trains in one process; start it without torchrun")
        with open_folder(config, group, resume=resume, overwrite=overwrite, **extra) as folder:
            torch.manual_seed(config.seed)
            if group.is_first:
                tqdm.write(f"{folder.path}: preparing the network and what it learns from")
            task = make(group)
            RunLoop(task, config, folder, group).run()
            group.barrier()
            return task, folder.weights


class RunLoop:
    """Repeats a task to its end. Without a folder nothing is written, and nothing shown."""

    def __init__(self, task: Task, config: RunConfig, folder: RunFolder | None = None, group: Processes | None = None):
        self.task, self.config, self.folder = task, config, folder
        self.group = group or Processes()
        self.is_shown = folder is not None and self.group.is_first
        self.skipped = self._bad = 0
        self._stop: Interrupted | None = None
        self._is_waiting = False  # for a batch, which may never come
        self._saved = time.monotonic()
        self._board = _open_board(folder.path) if self.is_shown and folder and config.tensorboard else None

    def run(self) -> None:
        """All stages that are left. Raises Interrupted, TimeIsUp; MachineError after ten bad steps in a row."""
        first, start = self.folder.place if self.folder else (0, 0)
        with self._heed_sigterm(), _dead_workers_told(), torch.random.fork_rng(devices=[]):
            for index in range(first, len(self.task.stages)):
                self.task.begin(index)
                if index > first:
                    self._save(index, 0)
                elif self.folder:
                    self.skipped = self.folder.begin(self.task.parts())
                self._run_stage(index, start if index == first else 0)
                self.task.end()
            if self.folder and first < len(self.task.stages):
                self._finish(self.folder)

    def _finish(self, folder: RunFolder) -> None:
        if self.group.is_first:
            for name, record in self.task.records().items():
                folder.write(name, {**record, **folder.recipe})
        self._save(len(self.task.stages), 0)

    def _run_stage(self, index: int, done: int) -> None:
        """The steps of a stage that are left, `done` of them are behind us."""
        stage, batches = self.task.stages[index], self.task.batches(done)
        with tqdm(total=stage.steps, initial=done, desc=stage.name, disable=not self.is_shown) as bar:
            while True:
                if self._is_validation(stage, done):  # also first thing after a resume: a state is saved before it
                    self._validate(stage, done)
                if done == stage.steps or self.task.is_done:
                    return
                try:
                    parts = self._step(index, done, batches)
                except Interrupted:  # nothing has happened yet in this step
                    self._leave(index, done)
                self._report(bar, stage, done, parts)
                done += 1
                self._checkpoint(index, done)

    def _step(self, index: int, step: int, batches: Iterator[Any]) -> Parts | None:
        self._is_waiting = self.group.count == 1  # several processes have to stop at the same step
        try:
            batch = next(batches)
            self._is_waiting = False
            # Dropout as well is to be a function of the step, or a resumed run would not repeat it.
            torch.manual_seed(seeded_generator(self.config.seed, index, step, self.group.rank).initial_seed())
            return self.task.step(step, batch)
        finally:
            self._is_waiting = False

    def _is_validation(self, stage: Stage, done: int) -> bool:
        every = self.task.validate_every
        return every > 0 and done > 0 and (done % every == 0 or done == stage.steps)

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
        if parts and step % _SHOWN_EVERY == 0 and self.is_shown:
            values = {name: float(value) for name, value in parts.items()}
            bar.set_postfix({**{k: f"{v:.3g}" for k, v in values.items()}, **self._rate(bar, stage)})
            self._draw({f"{stage.name}/{name}": value for name, value in values.items()}, step)

    def _rate(self, bar: tqdm, stage: Stage) -> dict[str, str]:
        rate = bar.format_dict["rate"]
        skipped = {"skipped": f"{self.skipped}"} if self.skipped else {}
        return skipped | ({"samples/s": f"{rate * stage.batch_size * self.group.count:.0f}"} if rate else {})

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
        if self.group.any(self._stop is not None):
            self._leave(index, done)
        if time.monotonic() - self._saved > 60 * self.config.checkpoint_minutes:
            self._save(index, done)

    def _leave(self, index: int, done: int) -> None:
        self._save(index, done)
        kind = type(self._stop) if self._stop else Interrupted  # another process was told to
        raise kind(f"saved at step {done} of {self.task.stages[index].name}")

    def _save(self, index: int, done: int) -> None:
        self._saved = time.monotonic()
        if self.folder and self.group.is_first:
            self.folder.save(index, done, self.task, self.skipped)

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


@contextmanager
def _dead_workers_told() -> Iterator[None]:
    """torch raises it wherever the main process is when a worker dies. Raises MachineError instead."""
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise MachineError(
            f"a process that makes samples has ended ({str(error).splitlines()[0]}): out of memory? Go on with "
            "--resume and fewer data.workers"
        ) from error


def _open_board(output: Path):
    """A TensorBoard writer. Raises MissingDependencyError without the package."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingDependencyError("tensorboard=true needs `pip install 'pose2mesh[tensorboard]'`") from error
    return SummaryWriter(str(output / "tensorboard"))
