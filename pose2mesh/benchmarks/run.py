"""Build, check, time, compare: one benchmark from settings to report, of a processor or of a GPU.

Beside each row stands what a pass costs at least: on a processor the time of its dense products alone, on a GPU, where
rows are in three types of numbers, the roofline. What is particular to a GPU has never run on one so far.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from pose2mesh.benchmarks import workloads
from pose2mesh.benchmarks.memory import peak_mb, rise_on_cuda
from pose2mesh.benchmarks.passes import (
    BF16,
    DTYPES,
    FORWARD,
    FP32,
    TRAIN,
    check,
    floor_of,
    outcome_of,
    prepare,
    reference_of,
    set_mode,
)
from pose2mesh.benchmarks.report import CudaRow, Report, Row
from pose2mesh.benchmarks.roofline import Rates, Work, measure_rates, work_of_workload
from pose2mesh.benchmarks.runtimes import add_captured, add_compiled, add_exported
from pose2mesh.benchmarks.timing import median_ms
from pose2mesh.benchmarks.workloads import ORIGINAL, PYG, Workload, workload_names
from pose2mesh.errors import InputError
from pose2mesh.ops.machine import describe_machine
from pose2mesh.training.distributed import Processes

_FLOOR = "floor"
_REBUILT = (ORIGINAL, PYG, "reference", "cpu-torch", "cpu")  # paths that a process of its own can measure
_FULL_PRECISION = (ORIGINAL, PYG)  # the published ways have no bfloat16

Say = Callable[[str], object]
Key = tuple[str, str, str]  # network, path, type of numbers


@dataclass(frozen=True)
class Settings:
    """What to measure."""

    mode: Literal["ops", "network", "train", "all"] = "network"
    batches: tuple[int, ...] = (1, 8, 64)
    device: str = "cpu"
    paths: tuple[str, ...] = ()  # only these; none means all
    is_quick: bool = False  # few runs, no processes for memory
    has_ablation: bool = False  # the direct network beside the coarse-to-fine ones
    has_compile: bool = False  # torch.compile takes a minute
    has_export: bool = False  # so does the way through ONNX
    is_cpu_time: bool = False  # processor time of one thread, for busy machines


class _Job(NamedTuple):
    """A workload and those of its paths that are wanted; name and index rebuild it."""

    name: str
    index: int
    workload: Workload
    paths: list[str]


class _Pass(NamedTuple):
    """What was found right and is to be timed."""

    job: _Job
    path: str
    dtype: str
    direction: str
    batch: int
    run: Callable[[], Tensor]
    error: float  # of the largest value

    @property
    def key(self) -> Key:
        return self.job.workload.name, self.path, self.dtype


def run_benchmark(
    settings: Settings, say: Say = lambda line: None, group: Processes | None = None, rates: Rates | None = None
) -> Report:
    """Every row is checked against the reference before it is timed; all rows of a batch size are interleaved.

    Of a `group` all processes measure at once, without sending one another gradients; rows are their mean. `rates` are
    those of a GPU, measured unless they are given. There a path that fails is left out and said, elsewhere it ends the
    run.
    """
    device = torch.device(settings.device)
    if device.type == "cuda":
        rates = rates or measure_rates(device)
    return _Benchmark(settings, device, rates, group or Processes(), say).run()


@dataclass(frozen=True)
class _Benchmark:
    """What all steps of a run look at."""

    settings: Settings
    device: torch.device
    rates: Rates | None  # None: no GPU
    group: Processes
    say: Say

    def run(self) -> Report:
        modes = ("network", "train", "ops") if self.settings.mode == "all" else (self.settings.mode,)
        jobs = {mode: list(self.build(mode)) for mode in modes}
        self.refuse_unknown_paths([job.workload for each in jobs.values() for job in each])
        rows: list[Row] = []
        for mode, each in jobs.items():
            direction = TRAIN if mode == "train" else FORWARD
            for batch in self.settings.batches:
                self.say(f"{direction} of {', '.join(dict.fromkeys(job.name for job in each))} at batch {batch}")
                rows += self.measure(each, direction, batch)
        return Report(self.machine(), rows)

    def build(self, mode: str) -> Iterator[_Job]:
        wanted = self.settings.paths
        has_pyg = (not wanted or PYG in wanted) and find_spec("torch_geometric") is not None
        for name in workload_names(mode, self.settings.has_ablation):
            self.say(f"building {name}")
            for index, workload in enumerate(workloads.build(name, self.device, has_pyg=has_pyg)):
                workload = self.extend(workload) if mode == "network" else workload
                paths = [path for path in workload.paths if not wanted or path in wanted]
                yield _Job(name, index, workload, paths)

    def extend(self, workload: Workload) -> Workload:
        """With the ways that only inference of a network has."""
        if "cuda" in workload.paths:
            workload = add_captured(workload)
        if self.settings.has_compile:
            workload = add_compiled(workload)
        return add_exported(workload) if self.settings.has_export and not self.rates else workload

    def refuse_unknown_paths(self, built: list[Workload]) -> None:
        known = {path for workload in built for path in workload.paths}
        if unknown := sorted({*self.settings.paths} - known):
            raise InputError(f"--paths {','.join(unknown)}: unknown here; choose from {', '.join(sorted(known))}")

    def measure(self, jobs: list[_Job], direction: str, batch: int) -> list[Row]:
        passes = [found for job in jobs if job.paths for found in self.right_ones(job, direction, batch)]
        runs: dict[Key, Callable[[], object]] = {found.key: found.run for found in passes}
        work = {}
        for name, workload in {found.job.workload.name: found.job.workload for found in passes}.items():
            if self.rates:
                work[name] = work_of_workload(workload, direction, batch)
            else:
                runs[name, _FLOOR, FP32] = floor_of(prepare(workload, _floor_path(workload), direction, batch))
        times = self.times(runs)
        return [self.row(found, times, work) for found in passes]

    def right_ones(self, job: _Job, direction: str, batch: int) -> Iterator[_Pass]:
        """The passes of a workload that give what the reference gives."""
        workload = job.workload
        set_mode(workload, direction)
        expected = outcome_of(workload, prepare(workload, reference_of(workload), direction, batch), direction)
        for path in job.paths:
            for dtype in DTYPES if self.rates else (FP32,):
                if dtype == BF16 and path in _FULL_PRECISION:
                    continue
                run = prepare(workload, path, direction, batch, dtype if self.rates else None)
                what = f"{workload.name} {direction} at batch {batch}", path, dtype
                try:
                    error = check(outcome_of(workload, run, direction), expected, *what)
                except Exception as problem:  # on a GPU, which is hard to come by, a path must not cost the others
                    if not self.rates:
                        raise
                    reason, _, _ = str(problem).partition("\n")
                    self.say(f"{' '.join(what)}: left out, {type(problem).__name__}: {reason}")
                    continue
                yield _Pass(job, path, dtype, direction, batch, run, error)

    def times(self, runs: dict[Key, Callable[[], object]]) -> dict[Key, float]:
        """Milliseconds, the mean of all processes."""
        self.group.barrier()
        is_quick, is_cpu_time = self.settings.is_quick, self.settings.is_cpu_time
        budget, least = (0.5, 2) if is_quick else (4.0, 3)
        own = median_ms(runs, self.device, budget_s=budget, least_runs=least, is_cpu_time=is_cpu_time)
        mean = self.group.mean(torch.tensor(list(own.values()), device=self.group.device))
        return dict(zip(own, mean.tolist(), strict=True))

    def row(self, found: _Pass, times: dict[Key, float], work: dict[str, list[Work]]) -> Row:
        network, path, dtype = found.key
        ms, rivals = times[found.key], [(rival, ORIGINAL, FP32) for rival in workloads.rivals(network)]
        original = next((times[rival] for rival in rivals if rival in times), None)
        floor = times.get((network, _FLOOR, FP32), 0.0)
        row = Row(
            network=network,
            path=path,
            direction=found.direction,
            batch=found.batch,
            ms=ms,
            samples_per_s=1000 * found.batch / ms,
            peak_mb=self.peak_mb(found),
            ratio_to_original=None if original is None else original / ms,
            ratio_to_floor=None if floor < 1e-2 else ms / floor,  # a sparse product alone has no dense part
        )
        if not self.rates:
            return row
        least = self.rates.least_ms(work[network], dtype)
        bound = self.rates.least_ms(work[network], dtype, is_unfused=True)
        return CudaRow(
            **vars(row),
            dtype=dtype,
            error=found.error,
            roofline_ms=least,
            byte_bound_ms=bound,
            ratio_to_roofline=ms / least,
            ratio_to_byte_bound=ms / bound,
        )

    def peak_mb(self, found: _Pass) -> float | None:
        if self.device.type == "cuda":
            return rise_on_cuda(found.run, self.device)
        if self.settings.is_quick or found.path not in _REBUILT:
            return None
        return peak_mb(found.job.name, found.job.index, found.path, found.direction, found.batch)

    def machine(self) -> dict[str, Any]:
        machine = describe_machine(self.device)
        machine["clock"] = "processor time" if self.settings.is_cpu_time else "wall time"
        machine["processes"] = self.group.count
        if self.rates:
            machine.pop("tf32", None)  # each row has its own
            machine |= self.rates.told()
        return machine


def _floor_path(workload: Workload) -> str:
    """The path whose dense products make the floor: the best of this package whose products torch can see.

    The compiled path does those of `cpu-torch`, in tiles.
    """
    return next((name for name in ("cpu-torch", "reference") if name in workload.paths), next(iter(workload.paths)))
