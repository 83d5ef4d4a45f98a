"""A tiny run of four streams as each of several processes does it; one stream has one batch without a finite loss."""

import hashlib
import os
import signal
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tiny_run import tiny_run
from torch import nn

from pose2mesh.synthesis.bodies import SyntheticBodies
from pose2mesh.training.config import TrainConfig
from pose2mesh.training.distributed import Processes
from pose2mesh.training.optimization import descend
from pose2mesh.training.run_loop import Interrupted, carry_out
from pose2mesh.training.streams import SharedStep
from pose2mesh.training.trainer import Trainer

STREAMS, SKIPPED = 4, 2  # SKIPPED: a step of the first stage
make = SyntheticBodies.__getitem__


def settings_of(folder: Path) -> dict[str, Any]:
    """A state is saved after nearly every step."""
    settings = tiny_run(folder, streams=STREAMS, checkpoint_minutes=1e-4)
    for stage, steps in zip(settings["stages"], (6, 4), strict=True):
        stage |= {"steps": steps, "batch_size": 2}
    return settings


def spoiled(self: SyntheticBodies, step: int):
    batch = make(self, step)
    is_bad = (self.stream, step, len(batch.vertices[0])) == (1, SKIPPED, 108)  # the first stage has the coarsest alone
    return batch._replace(joints=batch.joints * float("nan")) if is_bad else batch


def install() -> None:
    SyntheticBodies.__getitem__ = spoiled  # pyright: ignore[reportAttributeAccessIssue]


class Watched(Trainer):
    """Notes every loss, the mean over all processes; the last process gets SIGTERM in step `stop`."""

    def __init__(self, config: TrainConfig, group: Processes, stop: int | None):
        super().__init__(config, group)
        self.small = small_network(group)
        self.losses: list[float | None] = []
        self.stop = stop

    def step(self, index: int, batch: Any) -> Any:
        if index == self.stop and self.group.rank == self.group.count - 1:
            os.kill(os.getpid(), signal.SIGTERM)
        parts = super().step(index, batch)
        mean = self.group.mean(torch.tensor(float(parts["joint"]))) if parts else None
        self.losses.append(None if mean is None else mean.item())
        return parts


def run(folder: Path, resume: bool = False, stop: int | None = None) -> dict[str, Any] | str:
    """What this process ends with, or what interrupted it."""
    install()
    config = TrainConfig.model_validate(settings_of(folder))
    try:
        trainer, _ = carry_out(config, lambda group: Watched(config, group, stop), streams=STREAMS, resume=resume)
    except Interrupted as error:
        return str(error)
    tensors = {"network": trainer.network.state_dict(), "average": trainer.average.weights}
    content = {name: b"".join(v.numpy().tobytes() for v in found.values()) for name, found in tensors.items()}
    digests = {name: hashlib.sha256(value).hexdigest() for name, value in content.items()}
    return {"losses": trainer.losses, "small": trainer.small, "digests": digests}


class Numbers(NamedTuple):
    values: torch.Tensor  # [B, 3]


class SmallObjective(nn.Module):
    """Batch norm, dropout and squares."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1))

    def forward(self, batch: Numbers) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        loss = self.network(batch.values).square().mean()
        return loss, {"loss": loss.detach()}


def small_network(group: Processes) -> dict[str, list[float]]:
    """Its weights and statistics after three steps of four streams."""
    torch.manual_seed(0)
    objective = SmallObjective()
    shared = SharedStep(objective, STREAMS, group, "float32")
    optimizer = torch.optim.SGD(objective.parameters(), lr=0.1)
    for step in range(3):
        streams = [torch.Generator().manual_seed(10 * step + stream) for stream in shared.mine]
        batches = [Numbers(torch.randn(5, 3, generator=generator) + 1) for generator in streams]
        assert descend(shared.losses(batches, 0, 0, step), [optimizer], 1.0, group)
    return {name: value.flatten().tolist() for name, value in objective.state_dict().items()}
