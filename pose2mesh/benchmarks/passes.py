"""One pass of one path as a function without arguments, and the check that all paths give the same."""

from collections.abc import Callable

import torch
from torch import Tensor

from pose2mesh.benchmarks.workloads import Workload
from pose2mesh.errors import Pose2MeshError

FORWARD, TRAIN = "forward", "train"
TOLERANCE = 1e-4  # of the largest value


def prepare(workload: Workload, path: str, direction: str, batch: int) -> Callable[[], Tensor]:
    """A pass that returns its output; `train` is forward and backward with batch statistics, without optimizer."""
    x = workload.make_input(batch)
    run = workload.paths[path]
    return lambda: _forward(run, x) if direction == FORWARD else _train(workload, run, x)


def set_mode(workload: Workload, direction: str) -> None:
    for module in workload.modules:
        module.train(direction == TRAIN)


def check(workload: Workload, direction: str, batch: int) -> None:
    """Raises Pose2MeshError where a path is off the reference (or the first path, where there is none)."""
    set_mode(workload, direction)
    outputs = {path: prepare(workload, path, direction, batch)().detach() for path in workload.paths}
    expected = outputs.get("reference", next(iter(outputs.values())))
    for path, output in outputs.items():
        error = float((output - expected).abs().max() / expected.abs().max())
        if not error <= TOLERANCE:
            raise Pose2MeshError(
                f"{workload.name} {direction} at batch {batch}: path {path!r} is off the reference by {error:.1e} "
                f"of the largest value (allowed: {TOLERANCE}); a wrong result is not timed"
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
