"""Processes of one run: `torchrun` sets the environment, everything else is here."""

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, nn

from pose2mesh.errors import InputError, MachineError

_CPU = torch.device("cpu")
_LOST = ("gloo", "NCCL", "Connection")  # torch's words for a process that cannot be reached any more
# Groups that have ended. A module that is wrapped outlives its group and would be the last to hold it; torch 2.13 then
# frees it without letting go of the interpreter, which the group's own thread waits for: the process would never end.
_ENDED: list[Any] = []
atexit.register(_ENDED.clear)
_PATIENCE = timedelta(days=1)  # all wait while one validates or saves; the agents of torchrun see who has died


@dataclass(frozen=True)
class Processes:
    """This process among all."""

    rank: int = 0
    count: int = 1
    device: torch.device = _CPU

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def share(self, streams: int) -> range:
        """Which of a step's streams this process computes; their number is a multiple of the processes'."""
        return range(self.rank, streams, self.count)

    def refuse_uneven(self, streams: int) -> None:
        """Raise InputError where processes would have more streams than others; 0: the work is that of one process."""
        if self.count > 1 and not streams:
            raise InputError("this trains in one process; start it without torchrun")
        if self.count > 1 and streams % self.count:
            fitting = ", ".join(str(n) for n in range(1, streams + 1) if streams % n == 0)
            raise InputError(
                f"streams={streams}: a step cannot be shared out evenly among {self.count} processes; start {fitting}, "
                f"or give streams={self.count}, with which a step averages over {self.count} batches"
            )

    def wrap(self, module: nn.Module) -> nn.Module:
        """Average gradients over processes (a no-op for a single one)."""
        if self.count == 1:
            return module
        return nn.parallel.DistributedDataParallel(module, find_unused_parameters=True, forward_sync_buffers=False)

    def largest(self, value: float) -> float:
        """Of the values that the processes give."""
        if self.count == 1:
            return value
        shared = torch.tensor(value, dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(shared, op=torch.distributed.ReduceOp.MAX)
        return shared.item()

    def agree(self, value: float) -> bool:
        """Whether all processes give the same."""
        return self.largest(value) + self.largest(-value) == 0

    def mean(self, values: Tensor) -> Tensor:
        """Over the processes, of values on their device."""
        if self.count == 1:
            return values
        values = values.clone()
        torch.distributed.all_reduce(values)
        return values / self.count

    def barrier(self) -> None:
        if self.count > 1:
            torch.distributed.barrier()


@contextmanager
def processes(device: torch.device) -> Iterator[Processes]:
    """Join the other processes of a `torchrun` (gloo on the CPU, nccl on GPUs); alone without it.

    Raises InputError where torchrun would start processes anew that could not find one another.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes(device=device)
        return
    has_old_addresses = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"  # torch 2.13 keeps those of the dead
    if has_old_addresses and os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0") != "0":
        raise InputError(
            "--max-restarts: set TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 for torchrun, and give it --rdzv-backend c10d"
        )
    if device.type == "cuda":
        torch.cuda.set_device(device)  # NCCL would otherwise talk through the first GPU on every process
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        group = Processes(torch.distributed.get_rank(), count, device)
        group.barrier()  # the first one may end at once; addresses are in its store, and others still look for them
        yield group
    finally:
        _ENDED.append(torch.distributed.group.WORLD)
        torch.distributed.destroy_process_group()


@contextmanager
def dead_processes_told() -> Iterator[None]:
    """torch raises it wherever this process is when another one dies. Raises MachineError instead."""
    try:
        yield
    except RuntimeError as error:
        if torch.distributed.is_initialized() and any(word in str(error) for word in _LOST):
            raise MachineError("another process of this run has ended before its time; it says why") from error
        if "DataLoader worker" not in str(error):
            raise
        raise MachineError(
            f"a process that makes samples has ended ({str(error).splitlines()[0]}): out of memory? Go on with "
            "--resume and fewer data.workers"
        ) from error


def pick_device(name: str) -> torch.device:
    """`auto` is the GPU of this process if there is one, else the CPU; `cuda` is the GPU of this process.

    Raises InputError for a name that torch does not know and for a GPU that is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"unknown device {name!r}; give auto, cpu or cuda") from error
    if device.type not in ("cpu", "cuda") and not (device.type == "mps" and torch.backends.mps.is_available()):
        raise InputError(f"device {name!r}: nothing is trained or measured there; give auto, cpu or cuda")
    if device.type != "cuda":
        return device
    index = int(os.environ.get("LOCAL_RANK", "0")) if device.index is None else device.index
    if index >= torch.cuda.device_count():
        raise InputError(f"device {name!r}: this machine has {torch.cuda.device_count()} GPUs; give cpu or auto")
    return torch.device("cuda", index)
