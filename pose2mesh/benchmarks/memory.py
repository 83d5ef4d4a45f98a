"""Peak memory of one pass, in a process of its own: memory that another path freed must not hide it."""

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

import torch

from pose2mesh.benchmarks import workloads
from pose2mesh.benchmarks.passes import prepare, set_mode

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_PACKAGE_PARENT = Path(__file__).resolve().parents[2]


def peak_mb(workload: str, index: int, path: str, direction: str, batch: int) -> float | None:
    """MB that a pass adds to the loaded network on the CPU; None where the system does not tell or the process fails.

    It is the rise of the resident set to its peak, as Linux counts it.
    """
    if not _RESET.exists():
        return None
    request = json.dumps([workload, index, path, direction, batch, torch.get_num_threads()])
    search_path = os.pathsep.join(filter(None, [str(_PACKAGE_PARENT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "pose2mesh.benchmarks.memory", request],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": search_path},
    )
    return float(done.stdout.split()[-1]) if done.returncode == 0 else None


def _measure(name: str, index: int, path: str, direction: str, batch: int, threads: int) -> float:
    torch.set_num_threads(threads)
    workload = workloads.build(name, torch.device("cpu"), has_pyg=path == workloads.PYG)[index]
    set_mode(workload, direction)
    prepare(workload, path, direction, 2)()  # libraries set up their own memory in the first pass
    for module in workload.modules:
        module.zero_grad(set_to_none=True)
    return _rise_of_resident_set(prepare(workload, path, direction, batch))


def rise_on_cuda(run, device: torch.device) -> float:
    """MB that a call allocates on a GPU on top of what is there."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    run()
    torch.cuda.synchronize()
    return (torch.cuda.max_memory_allocated(device) - before) / 1e6


def peak_of_process_mb() -> float:
    """The largest resident set since the program began, 0 where the system does not tell.

    Not `ru_maxrss`, which Windows lacks and which begins with that of the process that started this one.
    """
    return _status_mb("VmHWM") if _STATUS.exists() else 0.0


def _rise_of_resident_set(run) -> float:
    ctypes.CDLL(None).malloc_trim(0)  # give back what was freed, or it would be reused uncounted
    _RESET.write_text("5")  # from now on the peak is counted anew
    before = _status_mb("VmRSS")
    run()
    return _status_mb("VmHWM") - before


def _status_mb(field: str) -> float:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    print(_measure(*json.loads(sys.argv[1])))
