"""Medians of interleaved runs: every path meets the same load, clock and caches of the machine."""

import time
from collections.abc import Callable, Hashable
from typing import TypeVar

import numpy as np
import torch

Key = TypeVar("Key", bound=Hashable)
_WARM_UP_SECONDS = 0.5
_MOST_RUNS = 60
_BURST_MS = 50.0  # a run shorter than this is called as often as fits, the first time without counting


def median_ms(
    runs: dict[Key, Callable[[], object]],
    device: torch.device,
    *,
    budget_s: float = 4.0,
    least_runs: int = 3,
    is_cpu_time: bool = False,
) -> dict[Key, float]:
    """Milliseconds of each run: round after round a burst of each, until its share of time is spent.

    A burst is one call, of a short run several after one that does not count: a large network before it has
    emptied the caches, which nobody meets who runs the short one again and again. `budget_s`: seconds for each
    run, `least_runs` calls even so. On CUDA the time between two events on the stream; `is_cpu_time` counts the
    processor time of this process instead, which on a busy machine is nearer to that of a quiet one.
    """
    clock = _cuda_ms if device.type == "cuda" else _processor_ms if is_cpu_time else _wall_ms
    for run in runs.values():
        _warm_up(run, clock)
    times: dict[Key, list[float]] = {key: [] for key in runs}
    pending = dict(runs)
    while pending:
        for key, run in list(pending.items()):
            times[key] += _burst(run, clock)
            count, spent = len(times[key]), sum(times[key]) / 1000
            if count >= _MOST_RUNS or (count >= least_runs and spent >= budget_s):
                del pending[key]
    return {key: float(np.median(values)) for key, values in times.items()}


def _burst(run: Callable[[], object], clock: Callable[[Callable[[], object]], float]) -> list[float]:
    first = clock(run)
    if first > _BURST_MS:
        return [first]
    return [clock(run) for _ in range(int(min(5, max(1, _BURST_MS // max(first, 0.01)))))]


def _warm_up(run: Callable[[], object], clock: Callable[[Callable[[], object]], float]) -> None:
    spent = 0.0
    for _ in range(5):
        if spent > _WARM_UP_SECONDS:
            return
        spent += clock(run) / 1000


def _wall_ms(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - start)


def _processor_ms(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return 1000 * (time.process_time() - start)


def _cuda_ms(run: Callable[[], object]) -> float:
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    torch.cuda.synchronize()
    start.record()  # type: ignore[call-arg]
    run()
    end.record()  # type: ignore[call-arg]
    torch.cuda.synchronize()
    return start.elapsed_time(end)
