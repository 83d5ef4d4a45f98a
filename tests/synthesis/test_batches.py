"""Batches made by other processes."""

import errno
import multiprocessing
import os
from typing import NamedTuple

import pytest
import torch

from pose2mesh.errors import MachineError
from pose2mesh.synthesis.batches import Streams, batches


class Numbers(NamedTuple):
    value: torch.Tensor


class Counting:
    """Batch `i` is `i`."""

    def __getitem__(self, index: int) -> Numbers:
        return Numbers(torch.tensor([float(index)]))


def test_workers_that_cannot_begin_are_the_machines_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where /dev/shm is full to the last page."""

    def full() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(multiprocessing, "Queue", full)
    with pytest.raises(MachineError, match=r"cannot start 2 processes .* No space left .*data.workers=0"):
        next(batches(Counting(), 0, 3, 2))
    assert next(batches(Counting(), 0, 3, 0)).value.item() == 0


def test_batches_of_workers_are_those_of_none() -> None:
    found = [[batch.value.item() for batch in batches(Counting(), 2, 9, workers)] for workers in (0, 2)]
    assert found[0] == found[1] == [2, 3, 4, 5, 6, 7, 8]


class Drawn:
    """Batch `i` of a stream."""

    stream = 0

    def __getitem__(self, index: int) -> Numbers:
        return Numbers(torch.tensor([index, self.stream]))


@pytest.mark.parametrize("processes", [1, 2, 3, 6])
def test_processes_share_the_streams_of_every_step_out(processes: int) -> None:
    """Each batch of six streams once, whoever makes it; a process has those of a step one after the other."""
    found = []
    for rank in range(processes):
        streams = Streams(Drawn(), range(rank, 6, processes))
        count = 6 // processes
        mine = [tuple(batch.value.tolist()) for batch in batches(streams, 4 * count, 7 * count, 0)]
        assert [step for step, _ in mine] == [step for step in (4, 5, 6) for _ in range(count)]
        found += mine
    assert sorted(found) == [(step, stream) for step in (4, 5, 6) for stream in range(6)]
