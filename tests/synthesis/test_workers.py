"""Processes that make samples."""

import multiprocessing
import time

import pytest

from pose2mesh.synthesis import batches


def _busy(pipe) -> None:
    batches._outlive_sigterm(0)
    pipe.send("begun")
    time.sleep(60)


def test_a_worker_that_outlives_its_grace_ends_without_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else torch raises wherever the main process waits for it at its end."""
    monkeypatch.setattr(batches, "_GRACE", 1)
    ours, theirs = multiprocessing.Pipe()
    worker = multiprocessing.get_context("fork").Process(target=_busy, args=(theirs,), daemon=True)
    worker.start()
    assert ours.recv() == "begun"
    began = time.monotonic()
    worker.terminate()
    worker.join(30)
    assert worker.exitcode == 0 and time.monotonic() - began > 0.9
