"""Build, check, time, compare: one benchmark from settings to report."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Literal

import torch
from torch import Tensor

from pose2mesh.benchmarks import workloads
from pose2mesh.benchmarks.cuda_run import run_cuda_benchmark
from pose2mesh.benchmarks.memory import peak_mb
from pose2mesh.benchmarks.passes import FORWARD, TRAIN, check, floor_of, prepare, set_mode
from pose2mesh.benchmarks.report import Report, Row
from pose2mesh.benchmarks.runtimes import add_compiled, add_exported
from pose2mesh.benchmarks.timing import median_ms
from pose2mesh.benchmarks.workloads import ORIGINAL, Workload, workload_names
from pose2mesh.errors import InputError
from pose2mesh.ops.machine import describe_machine
from pose2mesh.training.distributed import Processes

_FLOOR = "floor"


@dataclass(frozen=True)
class Settings:
    """What to measure."""

    mode: Literal["ops", "network", "train", "all"] = "network"  # all: on CUDA
    batches: tuple[int, ...] = (1, 8, 64)
    device: str = "cpu"
    paths: tuple[str, ...] = ()  # only these; none means all
    is_quick: bool = False  # few runs, no memory
    has_ablation: bool = False  # the direct network beside the coarse-to-fine ones
    has_compile: bool = False  # torch.compile takes a minute
    has_export: bool = False  # so does the way through ONNX
    is_cpu_time: bool = False  # processor time of one thread, for busy machines
    budget_s: float = 4.0  # seconds for each row


def run_benchmark(
    settings: Settings, say: Callable[[str], object] = lambda line: None, group: Processes | None = None
) -> Report:
    """Every row is checked against the reference before it is timed; all rows of a batch size are interleaved.

    Of a `group` all processes measure at once, without sending one another gradients; rows are their mean.
    """
    group = group or Processes()
    device = torch.device(settings.device)
    if device.type == "cuda":
        return run_cuda_benchmark(settings, say)
    names = workload_names(settings.mode, settings.has_ablation)
    jobs, known = [], set()  # (name to rebuild it by, index, workload), names of paths
    for name in names:
        say(f"building {name}")
        for index, workload in enumerate(workloads.build(name, device, has_pyg=_has_pyg(settings))):
            workload = _extend(workload, settings, device)
            known |= workload.paths.keys()
            jobs.append((name, index, workload.only(settings.paths)))
    if unknown := sorted({*settings.paths} - known):
        raise InputError(f"--paths {','.join(unknown)}: unknown here; choose from {', '.join(sorted(known))}")
    direction = TRAIN if settings.mode == "train" else FORWARD
    rows = []
    for batch in settings.batches:
        say(f"{direction} at batch {batch}")
        rows += _measure(jobs, direction, batch, settings, device, group)
    clock = "processor time" if settings.is_cpu_time else "wall time"
    machine = {**describe_machine(device), "clock": clock, "processes": group.count}
    return Report(machine, rows)


def _has_pyg(settings: Settings) -> bool:
    is_wanted = not settings.paths or workloads.PYG in settings.paths
    return is_wanted and find_spec("torch_geometric") is not None


def _extend(workload: Workload, settings: Settings, device: torch.device) -> Workload:
    if settings.has_compile and settings.mode == "network":
        workload = add_compiled(workload)
    if settings.has_export and settings.mode == "network" and device.type == "cpu":
        workload = add_exported(workload)
    return replace(workload, floor=_floor_path(workload))


def _measure(
    jobs: list[tuple[str, int, Workload]],
    direction: str,
    batch: int,
    settings: Settings,
    device: torch.device,
    group: Processes,
) -> list[Row]:
    runs = {}
    for _, _, workload in jobs:
        if not workload.paths:
            continue
        check(workload, direction, batch)
        set_mode(workload, direction)
        for path in workload.paths:
            runs[workload.name, path] = prepare(workload, path, direction, batch)
        source = replace(workload, paths={_FLOOR: workload.floor})
        runs[workload.name, _FLOOR] = floor_of(prepare(source, _FLOOR, direction, batch), device)
    budget = 0.5 if settings.is_quick else settings.budget_s
    group.barrier()
    own = median_ms(
        runs, device, budget_s=budget, least_runs=2 if settings.is_quick else 3, is_cpu_time=settings.is_cpu_time
    )
    times = dict(zip(own, group.mean(torch.tensor(list(own.values()))).tolist(), strict=True))
    peaks = {} if settings.is_quick else _peaks(jobs, direction, batch, device)
    return [
        _row(workload.name, path, direction, batch, times, peaks) for _, _, workload in jobs for path in workload.paths
    ]


def _floor_path(workload: Workload) -> Callable[[Tensor], Tensor]:
    """The path whose dense products make the floor: the best of this package whose products torch can see.

    The compiled path does those of `cpu-torch`, in tiles.
    """
    visible = (name for name in ("cuda", "cpu-torch", "reference") if name in workload.paths)
    return workload.paths[next(visible, next(iter(workload.paths)))]


def _peaks(
    jobs: list[tuple[str, int, Workload]], direction: str, batch: int, device: torch.device
) -> dict[tuple[str, str], float | None]:
    rebuilt = (workloads.ORIGINAL, workloads.PYG, "reference", "cpu-torch", "cpu", "cuda")
    return {
        (workload.name, path): peak_mb(name, index, path, direction, batch, device)
        for name, index, workload in jobs
        for path in workload.paths
        if path in rebuilt
    }


def _row(
    network: str,
    path: str,
    direction: str,
    batch: int,
    times: dict[tuple[str, str], float],
    peaks: dict[tuple[str, str], float | None],
) -> Row:
    ms, floor = times[network, path], times[network, _FLOOR]
    rivals = workloads.rivals(network)
    original = next((times[rival, ORIGINAL] for rival in rivals if (rival, ORIGINAL) in times), None)
    return Row(
        network=network,
        path=path,
        direction=direction,
        batch=batch,
        ms=ms,
        samples_per_s=1000 * batch / ms,
        peak_mb=peaks.get((network, path)),
        ratio_to_original=None if original is None else original / ms,
        ratio_to_floor=None if floor < 1e-2 else ms / floor,  # a sparse product alone has no dense part
    )
