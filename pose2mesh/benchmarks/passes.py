"""One pass of one path as a function without arguments, the check that all give the same, and the lower bound.

The bound is the dense products of a pass alone, in the same shapes and order.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from pose2mesh.benchmarks.workloads import Workload
from pose2mesh.errors import Pose2MeshError

_PRODUCTS = (torch.ops.aten.mm.default, torch.ops.aten.addmm.default, torch.ops.aten.bmm.default)
_IN_PLACE = (torch.ops.aten.addmm_.default,)
FORWARD, TRAIN = "forward", "train"
TOLERANCE = 1e-4  # of the largest value
GRADIENT_TOLERANCE = 1e-2  # of the length of the gradient; 4e-4 was measured on the paper's network


class _Recorder(TorchDispatchMode):
    """Notes the shapes of every dense matrix product."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[torch.Size, torch.Size]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if func in _PRODUCTS or func in _IN_PLACE:
            left, right = args[-2:]
            if left.layout == right.layout == torch.strided:
                self.shapes.append((left.shape, right.shape))
        return func(*args, **(kwargs or {}))


def record_products(run: Callable[[], object]) -> list[tuple[torch.Size, torch.Size]]:
    """Shapes of both sides of each dense product of `run`, in order."""
    with _Recorder() as recorder:
        run()
    return recorder.shapes


def floor_of(run: Callable[[], object], device: torch.device) -> Callable[[], object]:
    """A function that does only the dense products of `run`.

    Each product has a right side of its own, so weights come from memory as they do in the pass; left sides and
    results of one shape are shared, and nothing is allocated.
    """
    products = record_products(run)
    shared: dict[torch.Size, Tensor] = {}
    results: dict[torch.Size, Tensor] = {}
    triples = []
    for left, right in products:
        out = left[:-1] + right[-1:]
        shared.setdefault(left, torch.randn(left, device=device))
        results.setdefault(out, torch.empty(out, device=device))
        triples.append((shared[left], torch.randn(right, device=device), results[out]))

    def floor() -> None:
        for left, right, out in triples:
            torch.matmul(left, right, out=out)

    return floor


def prepare(workload: Workload, path: str, direction: str, batch: int) -> Callable[[], Tensor]:
    """A pass that returns its output; `train` is forward and backward with batch statistics, without optimizer."""
    x = workload.make_input(batch)
    run = workload.paths[path]
    return lambda: _forward(run, x) if direction == FORWARD else _train(workload, run, x)


def set_mode(workload: Workload, direction: str) -> None:
    for module in workload.modules:
        module.train(direction == TRAIN).requires_grad_(direction == TRAIN)


def check(workload: Workload, direction: str, batch: int) -> None:
    """Raises Pose2MeshError where a path is off the reference (or the first path, where there is none).

    In training its gradients as well, together: that of a bias before a norm is nothing but rounding.
    """
    set_mode(workload, direction)
    first = "reference" if "reference" in workload.paths else next(iter(workload.paths))
    expected, slopes = _run(workload, first, direction, batch)
    for path in workload.paths:
        output, found = _run(workload, path, direction, batch)
        error = float((output - expected).abs().max() / expected.abs().max())
        _refuse(error, TOLERANCE, f"{workload.name} {direction} at batch {batch}: path {path!r} is off the reference")
        common = found.keys() & slopes.keys()  # the original's way has copies of some parameters
        off = sum(float((found[name] - slopes[name]).square().sum()) for name in common) ** 0.5
        length = sum(float(slopes[name].square().sum()) for name in common) ** 0.5
        what = f"{workload.name} {direction} at batch {batch}: the gradient of path {path!r} is off the reference"
        _refuse(off / max(length, 1e-30), GRADIENT_TOLERANCE, what)


def _run(workload: Workload, path: str, direction: str, batch: int) -> tuple[Tensor, dict[str, Tensor]]:
    """The output of a pass, and in training what it leaves as gradients of the network."""
    output = prepare(workload, path, direction, batch)().detach()
    if direction == FORWARD or not workload.modules:
        return output, {}
    parameters = workload.modules[0].named_parameters()
    return output, {name: p.grad.clone() for name, p in parameters if p.grad is not None}


def _refuse(error: float, tolerance: float, what: str) -> None:
    if not error <= tolerance:
        raise Pose2MeshError(
            f"{what} by {error:.1e} of the largest (allowed: {tolerance}); a wrong result is not timed"
        )


@torch.no_grad()
def _forward(run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return run(x)


def _train(workload: Workload, run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    torch.manual_seed(0)  # the same dropout in every path
    for module in workload.modules:
        module.zero_grad(set_to_none=True)
    x.grad = None
    output = run(x)
    output.square().mean().backward()
    return output
