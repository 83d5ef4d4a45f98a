"""Stopping any run as SIGTERM would, and what its state is made of."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch

from pose2mesh.training.run_loop import Interrupted, RunLoop
from pose2mesh.training.state import load_state


def stop_after(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """As if SIGTERM arrived during step number `count` of the whole run."""
    step, done = RunLoop._step, []

    def counted(self: RunLoop, *arguments):
        done.append(1)
        if len(done) == count:
            self._stop = Interrupted()
        return step(self, *arguments)

    monkeypatch.setattr(RunLoop, "_step", counted)


def digest(run: Path) -> dict[str, str]:
    """sha256 of the weights file, and of every part of the last state."""
    parts = load_state(run / "last.pt")["parts"]
    content = {name: b"".join(_bytes(part)) for name, part in parts.items()}
    content["weights"] = (run / "weights.safetensors").read_bytes()
    return {name: hashlib.sha256(value).hexdigest() for name, value in content.items()}


def _bytes(value: Any) -> list[bytes]:
    if isinstance(value, torch.Tensor):
        return [value.contiguous().numpy().tobytes()]
    if isinstance(value, dict):
        return [found for key in value for found in (str(key).encode(), *_bytes(value[key]))]
    if isinstance(value, list | tuple):
        return [found for each in value for found in _bytes(each)]
    return [repr(value).encode()]
