"""One pass of one path as a function without arguments, the check that all give the same, and the lower bound.

The bound is the dense products of a pass alone, in the same shapes and order.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from pose2mesh.benchmarks.workloads import Workload
from pose2mesh.errors import Pose2MeshError

_PRODUCTS = (torch.ops.aten.mm.default, torch.ops.aten.addmm.default, torch.ops.aten.bmm.default)
_IN_PLACE = (torch.ops.aten.addmm_.default,)
FORWARD, TRAIN = "forward", "train"
FP32, TF32, BF16 = DTYPES = "fp32", "tf32", "bf16"
TOLERANCES = {FP32: 1e-4, TF32: 2e-2, BF16: 2e-1}  # of the largest value
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


def floor_of(run: Callable[[], object]) -> Callable[[], object]:
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
        shared.setdefault(left, torch.randn(left))
        results.setdefault(out, torch.empty(out))
        triples.append((shared[left], torch.randn(right), results[out]))

    def floor() -> None:
        for left, right, out in triples:
            torch.matmul(left, right, out=out)

    return floor


def prepare(
    workload: Workload, path: str, direction: str, batch: int, dtype: str | None = None
) -> Callable[[], Tensor]:
    """A pass that returns its output; `train` is forward and backward with batch statistics, without optimizer.

    Without a `dtype` it is in what torch computes in by itself.
    """
    x, run = workload.make_input(batch), workload.paths[path]

    def plain() -> Tensor:
        return _forward(run, x) if direction == FORWARD else _train(workload, run, x)

    def typed() -> Tensor:
        with _arithmetic(dtype, x.device):
            return plain()

    return typed if dtype else plain


@contextmanager
def _arithmetic(dtype: str | None, device: torch.device) -> Iterator[None]:
    """Dense products in float32, in tf32, or autocast to bfloat16."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = dtype != FP32
    try:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == BF16):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def set_mode(workload: Workload, direction: str) -> None:
    for module in workload.modules:
        module.train(direction == TRAIN).requires_grad_(direction == TRAIN)


class Outcome(NamedTuple):
    """What a pass gives, and in training what it leaves as gradients of the network."""

    output: Tensor
    gradients: dict[str, Tensor]


def reference_of(workload: Workload) -> str:
    """The path that the others are compared with: the reference, or the first, where there is none."""
    return "reference" if "reference" in workload.paths else next(iter(workload.paths))


def outcome_of(workload: Workload, run: Callable[[], Tensor], direction: str) -> Outcome:
    """Of a pass of the workload."""
    output = run().detach().float()
    if direction == FORWARD or not workload.modules:
        return Outcome(output, {})
    parameters = workload.modules[0].named_parameters()
    return Outcome(output, {name: p.grad.clone() for name, p in parameters if p.grad is not None})


def check(found: Outcome, expected: Outcome, what: str, path: str, dtype: str = FP32) -> float:
    """The error of a path's output, of the largest value. Raises Pose2MeshError where it is too large.

    In float32 its gradients are looked at as well, together: that of a bias before a norm is nothing but rounding.
    """
    error = float((found.output - expected.output).abs().max() / expected.output.abs().max())
    _refuse(error, TOLERANCES[dtype], f"{what}: path {path!r} is off the reference")
    common = found.gradients.keys() & expected.gradients.keys()  # the original's way has copies of some parameters
    off = sum(float((found.gradients[name] - expected.gradients[name]).square().sum()) for name in common) ** 0.5
    length = sum(float(expected.gradients[name].square().sum()) for name in common) ** 0.5
    if dtype == FP32:
        what = f"{what}: the gradient of path {path!r} is off the reference"
        _refuse(off / max(length, 1e-30), GRADIENT_TOLERANCE, what)
    return error


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
