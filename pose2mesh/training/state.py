"""Everything a run needs to go on exactly where it stopped, in one atomic file of tensors and plain values."""

import io
import platform
from pathlib import Path
from typing import Any

import torch

from pose2mesh import __version__
from pose2mesh.errors import FormatError
from pose2mesh.paths import write_with


def save_state(path: str | Path, state: dict[str, Any]) -> None:
    """Write a training state atomically. Raises MachineError on a full disk."""
    buffer = io.BytesIO()  # torch reports a full disk as an internal error; plain writing reports it as one
    torch.save(state, buffer)
    write_with(path, lambda stream: stream.write(buffer.getbuffer()))


def load_state(path: str | Path) -> dict[str, Any]:
    """Read a training state; only tensors and plain values are accepted. Raises FormatError."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError) as error:
        raise FormatError(
            f"{path} is not a training state ({str(error).splitlines()[0]}); delete it to start anew"
        ) from error
    except Exception as error:  # the unpickler has an error class of its own, not exported
        raise FormatError(f"{path} holds more than tensors; it is not a training state of this package") from error


def versions() -> dict[str, str]:
    """What the run was made with."""
    return {"pose2mesh": __version__, "torch": str(torch.__version__), "python": platform.python_version()}
