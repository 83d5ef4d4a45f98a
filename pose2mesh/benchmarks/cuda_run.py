"""The benchmark of a machine with a GPU: all paths in three types of numbers, beside the roofline."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from shutil import which
from typing import Any

import torch
from torch import Tensor

from pose2mesh.benchmarks import workloads
from pose2mesh.benchmarks.cuda_roofline import BF16, FP32, TF32, Rates, Work, layer_work, measure_rates, work_of
from pose2mesh.benchmarks.memory import rise_on_cuda
from pose2mesh.benchmarks.original import CooConvolution
from pose2mesh.benchmarks.passes import FORWARD, TRAIN, prepare, set_mode
from pose2mesh.benchmarks.report import CudaReport, CudaRow
from pose2mesh.benchmarks.runtimes import add_compiled
from pose2mesh.benchmarks.timing import median_ms
from pose2mesh.benchmarks.workloads import ORIGINAL, PYG, Workload
from pose2mesh.networks.captured import CapturedNetwork
from pose2mesh.ops import use_backend
from pose2mesh.ops.machine import describe_machine

DTYPES = (FP32, TF32, BF16)
GRAPH = "cuda-graph"
TOLERANCES = {FP32: 1e-4, TF32: 2e-2, BF16: 2e-1}  # of the largest value; a wrong result is not timed
_FULL_PRECISION = (ORIGINAL, PYG)  # the published ways have no bfloat16

Say = Callable[[str], object]
Key = tuple[str, str, str]  # network, path, dtype


def run_cuda_benchmark(settings: Any, say: Say, rates: Rates | None = None) -> CudaReport:
    """All rows of a batch size and direction are interleaved; a path that fails is left out and said."""
    device = torch.device(settings.device)
    rates = rates or measure_rates(device)
    rows: list[CudaRow] = []
    for direction, names in _jobs(settings.mode, settings.has_ablation):
        jobs = [workload for name in names for workload in _build(name, direction, settings, device, say)]
        for batch in settings.batches:
            say(f"{direction} of {', '.join(names)} at batch {batch}")
            rows += _measure(jobs, direction, batch, settings, rates, say)
    return CudaReport(_machine(device, rates), rows)


def _jobs(mode: str, has_ablation: bool) -> list[tuple[str, tuple[str, ...]]]:
    modes = ("network", "train", "ops") if mode == "all" else (mode,)
    return [(TRAIN if one == "train" else FORWARD, workloads.workload_names(one, has_ablation)) for one in modes]


def _build(name: str, direction: str, settings: Any, device: torch.device, say: Say) -> list[Workload]:
    say(f"building {name}")
    made = workloads.build(name, device, has_pyg=not settings.is_quick and find_spec("torch_geometric") is not None)
    if name != "operators" and direction == FORWARD:
        made = [_with_graph(workload) for workload in made]
        if settings.has_compile:
            made = [add_compiled(workload) for workload in made]
    wanted = settings.paths and {*settings.paths, "reference"}  # which the others are compared with
    return [workload.only(wanted) for workload in made]


def _with_graph(workload: Workload) -> Workload:
    """With path `cuda-graph`, where there is a path `cuda` to capture."""
    if "cuda" not in workload.paths:
        return workload
    captured = CapturedNetwork(workload.modules[0], largest_batch=64)

    def run(x: Tensor) -> Tensor:
        with use_backend("cuda"):
            return captured(x).vertices

    return replace(workload, paths={**workload.paths, GRAPH: run})


@contextmanager
def arithmetic(dtype: str, device: torch.device) -> Iterator[None]:
    """Dense products in float32, in tf32, or autocast to bfloat16."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = dtype != FP32
    try:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == BF16):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def _measure(
    jobs: list[Workload], direction: str, batch: int, settings: Any, rates: Rates, say: Say
) -> Iterator[CudaRow]:
    device = torch.device(settings.device)
    runs: dict[Key, Callable[[], object]] = {}
    errors: dict[Key, float] = {}
    work: dict[str, list[Work]] = {}
    for workload in jobs:
        set_mode(workload, direction)
        work[workload.name] = _work(workload, workload.make_input(batch), direction == TRAIN)
        expected = _expected(workload, direction, batch)
        for path in workload.paths:
            for dtype in DTYPES:
                if dtype == BF16 and path in _FULL_PRECISION:
                    continue
                run = partial(_in, dtype, device, prepare(workload, path, direction, batch))
                error = _try(run, expected, f"{workload.name} {path} {dtype}", say)
                if error is None or not error <= TOLERANCES[dtype]:
                    say(f"{workload.name} {path} {dtype}: left out, error {error}")
                    continue
                errors[workload.name, path, dtype], runs[workload.name, path, dtype] = error, run
    budget = 0.3 if settings.is_quick else 1.0
    times = median_ms(runs, device, budget_s=budget, least_runs=3)
    for (network, path, dtype), run in runs.items():
        ms = times[network, path, dtype]
        rivals = workloads.rivals(network)
        original = next((times[rival, ORIGINAL, FP32] for rival in rivals if (rival, ORIGINAL, FP32) in times), None)
        least = rates.least_ms(work[network], dtype)
        bound = rates.least_ms(work[network], dtype, is_unfused=True)
        yield CudaRow(
            network=network,
            path=path,
            direction=direction,
            batch=batch,
            ms=ms,
            samples_per_s=1000 * batch / ms,
            peak_mb=rise_on_cuda(run, device) if device.type == "cuda" else None,
            ratio_to_original=None if original is None else original / ms,
            ratio_to_floor=None,
            dtype=dtype,
            error=errors[network, path, dtype],
            roofline_ms=least,
            byte_bound_ms=bound,
            ratio_to_roofline=ms / least,
            ratio_to_byte_bound=ms / bound,
        )


def _work(workload: Workload, x: Tensor, is_train: bool) -> list[Work]:
    """The layers of a network, of a graph layer, of a sparse product."""
    if not workload.modules:
        return [Work(0.0, 2.0 * x.numel(), 2.0 * x.numel())]
    first = workload.modules[0]
    if isinstance(first, CooConvolution):
        return [layer_work(x.shape, x.shape[1], first.linear.weight.shape, False, is_train)]
    return work_of(lambda: first(x), is_train=is_train)


def _expected(workload: Workload, direction: str, batch: int) -> Tensor:
    """In float32, by the reference where there is one."""
    path = "reference" if "reference" in workload.paths else next(iter(workload.paths))
    return prepare(workload, path, direction, batch)().detach().float()


def _in(dtype: str, device: torch.device, run: Callable[[], Tensor]) -> Tensor:
    with arithmetic(dtype, device):
        return run()


def _try(run: Callable[[], Tensor], expected: Tensor, name: str, say: Say) -> float | None:
    """The error of a path, of the largest value; None if it does not run."""
    try:
        return float((run().detach().float() - expected).abs().max() / expected.abs().max())
    except Exception as error:  # one path must not cost the rest of the run on a machine that is hard to come by
        say(f"{name}: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
        return None


def _machine(device: torch.device, rates: Rates) -> dict[str, Any]:
    machine = describe_machine(device)
    machine.pop("tf32", None)  # each row has its own
    machine["driver"] = _driver()
    machine["copy_tb_per_s"] = round(rates.tb_per_s, 2)
    machine["tflops"] = ", ".join(f"{dtype} {value:.0f}" for dtype, value in rates.tflops.items())
    return machine


def _driver() -> str | None:
    if which("nvidia-smi") is None:
        return None
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.split("\n")[0].strip() or None
