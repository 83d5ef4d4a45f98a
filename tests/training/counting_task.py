"""A task that counts, and what its run leaves."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from pose2mesh.synthesis.batches import batches
from pose2mesh.training.config import RunConfig, StageConfig
from pose2mesh.training.distributed import Processes
from pose2mesh.training.run_loop import Task
from pose2mesh.training.state import load_state


class Numbers(NamedTuple):
    value: torch.Tensor


class Counting:
    """Batch `i` is `i`."""

    def __getitem__(self, index: int) -> Numbers:
        return Numbers(torch.tensor([float(index)]))


class Sum(Task):
    """Adds up its batches and a random number a step; writes down what was called."""

    validate_every = 3

    def __init__(self, group: Processes, steps: tuple[int, ...] = (4, 5), samples: Any = None, workers: int = 0):
        self.stages = [StageConfig(name=f"part {i}", steps=count, batch_size=1) for i, count in enumerate(steps)]
        self.network = nn.Linear(2, 1, bias=False)
        nn.init.zeros_(self.network.weight)
        self.samples, self.workers = samples or Counting(), workers
        self.calls: list[str] = []
        self.bad: set[int] = set()

    def begin(self, stage: int) -> None:
        self.stage = stage
        self.calls.append(f"begin {stage}")

    def batches(self, start: int) -> Iterator[Any]:
        return batches(self.samples, start, self.stages[self.stage].steps, self.workers)

    def step(self, index: int, batch: Numbers) -> dict[str, float] | None:
        self.calls.append(f"step {index}")
        if index in self.bad:
            return None
        with torch.no_grad():
            self.network.weight[0, 0] += batch.value[0]
            self.network.weight[0, 1] += torch.rand(())
        return {"loss": 1.0}

    def validate(self, done: int) -> Iterator[dict[str, Any]]:
        self.calls.append("validate")
        yield {"sum": self.network.weight[0, 0].item()}

    def end(self) -> None:
        self.calls.append("end")

    def parts(self) -> dict[str, Any]:
        return {"network": self.network}

    def save_weights(self, path: Path) -> nn.Module:
        path.write_bytes(self.network.weight.detach().numpy().tobytes())
        return self.network

    def records(self) -> dict[str, dict[str, Any]]:
        return {"metrics.json": {"sum": self.network.weight[0, 0].item()}}


def config_of(folder: Path, **changes) -> RunConfig:
    return RunConfig(output=str(folder / "run"), device="cpu", **changes)


def state_of(folder: Path) -> dict[str, Any]:
    return load_state(folder / "run" / "last.pt")


class Stopping(Sum):
    """Gets SIGTERM in step number `stop` of the whole run."""

    def __init__(self, group: Processes, stop: int):
        super().__init__(group)
        self.stop = stop

    def step(self, index: int, batch: Numbers) -> dict[str, float] | None:
        self.stop -= 1
        if not self.stop:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().step(index, batch)


class Slow(Sum):
    def step(self, index: int, batch: Numbers) -> dict[str, float] | None:
        time.sleep(0.1)
        return super().step(index, batch)
