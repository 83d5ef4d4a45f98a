"""Several streams of samples in one step, shared out among processes: a recipe means the same at any number of them."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pose2mesh.training.distributed import Processes
from pose2mesh.training.run_loop import Parts, seed_step


class SharedStep:
    """An objective averaged over the streams of a step, which one process computes one after the other.

    However many processes there are, a step leaves the mean of the streams' gradients and, in batch norms, the mean of
    the statistics that each stream alone would leave; only rounding differs.
    """

    def __init__(self, objective: nn.Module, streams: int, group: Processes, precision: str):
        """`objective`: a batch to (loss, its parts by name), in the `precision` of a configuration."""
        self.objective, self.group, self.mine = group.wrap(objective), group, group.share(streams)
        self.autocast = torch.autocast(group.device.type, torch.bfloat16, enabled=precision == "bfloat16")
        norms = [module for module in objective.modules() if isinstance(module, _BatchNorm)]
        self.statistics = [buffer for norm in norms for buffer in norm.buffers()] if streams > 1 else []
        self._parts: list[Parts] = []

    def losses(self, batches: Sequence[Any], *key: int) -> Iterator[Tensor]:
        """Of this process's streams, in shares of the step; the gradient of each is due before the next is asked for.

        `key` and the stream say what is random in it.
        """
        self._parts = []
        before = self._read() if self.statistics else torch.zeros(0)
        moved = torch.zeros_like(before)
        for stream, batch in zip(self.mine, batches, strict=True):
            seed_step(*key, stream)
            with self._unshared() if stream != self.mine[-1] else nullcontext():
                on_device = type(batch)(*(tensor.to(self.group.device, non_blocking=True) for tensor in batch))
                with self.autocast:
                    loss, parts = self.objective(on_device)
                yield loss / len(self.mine)
            self._parts.append(parts)
            if self.statistics:
                moved += self._read() - before
                self._write(before)
        if self.statistics:
            self._write(before + self.group.mean(moved / len(self.mine)))

    def parts(self) -> Parts:
        """Of the last step's loss, the mean over this process's streams."""
        if len(self._parts) == 1:
            return self._parts[0]
        return {name: sum(parts[name] for parts in self._parts) / len(self._parts) for name in self._parts[0]}

    def _unshared(self) -> Any:
        """Gradients are added up on this process; the last stream's are sent together with them."""
        wrapped = self.objective
        return wrapped.no_sync() if isinstance(wrapped, nn.parallel.DistributedDataParallel) else nullcontext()

    def _read(self) -> Tensor:
        """All statistics [N]."""
        return torch.cat([buffer.flatten().float() for buffer in self.statistics])

    def _write(self, values: Tensor) -> None:
        for buffer, part in zip(self.statistics, values.split([b.numel() for b in self.statistics]), strict=True):
            buffer.copy_(part.view_as(buffer))
