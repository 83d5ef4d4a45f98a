"""Batches of a map from step to batch, made ahead by other processes."""

import copy
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import torch
from torch.utils.data import DataLoader

from pose2mesh.errors import MachineError

_GRACE = 10  # seconds that a worker outlives a SIGTERM; the main process sends one to a worker that does not end


def _unchanged(made: Any) -> Any:
    return made


class Samples(Protocol):
    """Batch `i`, a NamedTuple of tensors, is a function of `i` alone."""

    def __getitem__(self, index: int, /) -> Any: ...


class Streams:
    """The batches of several streams, step by step: batch `i` is that of step i // n in the (i % n)-th of n."""

    def __init__(self, samples: Samples, streams: Sequence[int]):
        """`samples` have an attribute `stream`, on which their batches depend."""
        self.parts = [copy.copy(samples) for _ in streams]
        for part, stream in zip(self.parts, streams, strict=True):
            part.stream = stream  # pyright: ignore[reportAttributeAccessIssue]

    def __getitem__(self, index: int) -> Any:
        step, place = divmod(index, len(self.parts))
        return self.parts[place][step]


def batches(samples: Samples, start: int, end: int, workers: int) -> Iterator[Any]:
    """Batches of the steps from `start` to before `end`.

    Workers send arrays through pipes: tensors would lie in shared memory, and where that is full a worker dies without
    a word and the run waits for ever.
    """
    for arrays in made_ahead(samples, start, end, workers, _to_arrays):
        yield type(arrays)(*(_to_tensor(array) for array in arrays))


def made_ahead(
    samples: Samples, start: int, end: int, workers: int, pack: Callable[[Any], Any] = _unchanged
) -> Iterator[Any]:
    """Samples `start` to before `end` in their order, whoever makes them; `pack` leaves no tensors in them."""
    loader = DataLoader(
        samples,  # pyright: ignore[reportArgumentType]
        batch_size=None,
        sampler=range(start, end),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        collate_fn=pack,
        worker_init_fn=_outlive_sigterm,
    )
    yield from _started(loader)


def _started(loader: DataLoader) -> Iterator[Any]:
    """Raises MachineError where its processes cannot begin."""
    try:
        if loader.num_workers:
            multiprocessing.Queue().close()  # the loader's own failure is a page long
        return iter(loader)
    except OSError as error:
        raise MachineError(
            f"cannot start {loader.num_workers} processes that make samples: {error.strerror}; is /dev/shm full? Make "
            "room, or do without: data.workers=0"
        ) from error


def _to_arrays(batch: Any) -> Any:
    return type(batch)(*(tensor.numpy() for tensor in batch))


def _to_tensor(array: Any) -> torch.Tensor:
    tensor = torch.from_numpy(array)
    return tensor.pin_memory() if torch.cuda.is_available() else tensor  # else a copy to the GPU is not asynchronous


def _outlive_sigterm(_worker: int) -> None:
    """A scheduler sends SIGTERM to all processes of a job; the main one still needs its workers for the last step."""
    signal.signal(signal.SIGTERM, lambda *_: signal.alarm(_GRACE))
    # With code 0: torch raises, in whatever the main process does at its end, for a worker that a signal has ended.
    signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
