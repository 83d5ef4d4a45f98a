"""Everything a run needs to go on exactly where it stopped, in one atomic file of tensors and plain values."""

import io
import platform
from pathlib import Path
from typing import Any

import torch

from pose2mesh import __version__
from pose2mesh.checkpoints.tensors import load_tensors
from pose2mesh.errors import FormatError, InputError
from pose2mesh.paths import check_results_folder, write_bytes

_CONTENT = {"stage", "step", "finished", "skipped", "parts", "config", "processes", "seconds"}


def save_state(path: str | Path, state: dict[str, Any]) -> None:
    """Write a training state atomically. Raises MachineError on a full disk."""
    buffer = io.BytesIO()  # torch reports a full disk as an internal error; plain writing reports it as one
    torch.save(state, buffer)
    write_bytes(path, buffer.getbuffer())


def load_state(path: str | Path) -> dict[str, Any]:
    """Read a training state; only tensors and plain values are accepted. Raises FormatError."""
    try:
        state = load_tensors(path)
    except Exception as error:  # a damaged file raises nearly anything, among it classes that torch does not export
        raise FormatError(
            f"{path} is truncated or holds more than tensors: no training state; delete it to start anew"
        ) from error
    if not isinstance(state, dict) or not state.keys() >= _CONTENT:
        raise FormatError(f"{path} is not a training state of this package; delete it to start anew")
    return state


def versions() -> dict[str, str]:
    """What the run was made with."""
    return {"pose2mesh": __version__, "torch": str(torch.__version__), "python": platform.python_version()}


def check_folder(name: str) -> Path:
    """The folder that a run is to write. Raises InputError where it cannot be, before hours are spent."""
    check_results_folder(Path(name), f"output={name}")
    return Path(name)


def make_folder(path: Path) -> None:
    """Raises InputError where it cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"output={path}: the folder cannot be made ({error.strerror}); name another") from error
