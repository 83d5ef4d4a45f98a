"""The device to work on, and what a measurement was made on; a number without it says nothing."""

import os
import platform
from pathlib import Path
from typing import Any

import torch

from pose2mesh import __version__
from pose2mesh.errors import InputError
from pose2mesh.ops import native

_DEVICES = "give cpu, cuda, cuda:1 and so on, or auto"


def device_of(name: str) -> str:
    """A device's name as torch takes it; auto is a GPU where there is one. Raises InputError for no device of here."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise InputError(f"device is {name!r:.40}; {_DEVICES}") from error
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"device {name!r} has not the operations that networks need; {_DEVICES}")
    if device.type == "cuda" and not (device.index or 0) < torch.cuda.device_count():
        seen = f"{torch.cuda.device_count()} GPUs" if torch.cuda.is_available() else "no GPU"
        raise InputError(f"device {name!r} asked for, but torch sees {seen}; use --device cpu")
    return str(device)


def describe_machine(device: torch.device) -> dict[str, Any]:
    """Processor, threads, versions and the settings of the memory allocator."""
    machine = {
        "cpu": _cpu_model(),
        "logical_cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_1min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "pose2mesh": __version__,
        "allocator": os.environ.get("LD_PRELOAD") or "default",
        "glibc_tunables": os.environ.get("GLIBC_TUNABLES", ""),
        "huge_pages": os.environ.get("THP_MEM_ALLOC_ENABLE", ""),  # torch's own switch
        "kernels": library.name if (library := native.find_library()) else "none, plain torch",
        "device": str(device),
    }
    if device.type == "cuda":
        machine["gpu"] = torch.cuda.get_device_name(device)
        machine["cuda"] = torch.version.cuda
        machine["tf32"] = torch.backends.cuda.matmul.allow_tf32
    return machine


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
