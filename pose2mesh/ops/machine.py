"""What a measurement was made on; a number without it says nothing."""

import os
import platform
from pathlib import Path
from typing import Any

import torch

from pose2mesh import __version__
from pose2mesh.ops import native


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
