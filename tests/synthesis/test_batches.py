"""Batches made by other processes."""

import errno
import multiprocessing
import os
from typing import NamedTuple

import pytest
import torch

from pose2mesh.errors import MachineError
from pose2mesh.synthesis.batches import batches


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
