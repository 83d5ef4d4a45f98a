"""What a pass costs at least on a GPU: operations over the rate of arithmetic, bytes over the bandwidth.

The rates have never been measured on one so far.
"""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from shutil import which
from typing import Any

import torch
from torch import Tensor

from pose2mesh.benchmarks.original import CooConvolution
from pose2mesh.benchmarks.passes import BF16, FP32, TF32, TRAIN, record_products
from pose2mesh.benchmarks.timing import median_ms
from pose2mesh.benchmarks.workloads import Workload
from pose2mesh.ops import GraphLayer, register_backend, use_backend

BYTES = {FP32: 4, TF32: 4, BF16: 2}
COUNTING = "counting"  # a backend that computes nothing

# Datasheet rates of dense products in TFLOP/s and bandwidths in TB/s, by a part of the device's name.
DATASHEETS: dict[str, dict[str, float]] = {
    "B200": {FP32: 75, TF32: 1100, BF16: 2250, "bandwidth": 8.0},
    "H200": {FP32: 67, TF32: 495, BF16: 989, "bandwidth": 4.8},
    "H100": {FP32: 67, TF32: 495, BF16: 989, "bandwidth": 3.35},
    "A100": {FP32: 19.5, TF32: 156, BF16: 312, "bandwidth": 2.04},
    "L40S": {FP32: 91.6, TF32: 183, BF16: 362, "bandwidth": 0.864},
    "RTX 4090": {FP32: 82.6, TF32: 82.6, BF16: 165, "bandwidth": 1.01},
}


@dataclass(frozen=True)
class Work:
    """One layer: operations and the numbers that move, each number in the type of the pass."""

    flops: float
    least_numbers: float  # inputs, weights and outputs once
    unfused_numbers: float  # what the path with a dense and K − 1 sparse products moves


@dataclass(frozen=True)
class Rates:
    """Of a device: TFLOP/s by type, TB/s. The bandwidth is that of a copy measured here, reads plus writes."""

    tflops: dict[str, float]
    tb_per_s: float

    def least_ms(self, work: list[Work], dtype: str, *, is_unfused: bool = False) -> float:
        """The sum over the layers of the longer of both times, since they run one after another."""
        return 1e3 * sum(
            max(
                layer.flops / (1e12 * self.tflops[dtype]),
                BYTES[dtype] * (layer.unfused_numbers if is_unfused else layer.least_numbers) / (1e12 * self.tb_per_s),
            )
            for layer in work
        )

    def told(self) -> dict[str, Any]:
        """What a report tells of the device."""
        tflops = ", ".join(f"{dtype} {value:.0f}" for dtype, value in self.tflops.items())
        return {"driver": _driver(), "copy_tb_per_s": round(self.tb_per_s, 2), "tflops": tflops}


def work_of_workload(workload: Workload, direction: str, batch: int) -> list[Work]:
    """The layers of a network, of a graph layer, of a sparse product."""
    x, is_train = workload.make_input(batch), direction == TRAIN
    if not workload.modules:
        return [Work(0.0, 2.0 * x.numel(), 2.0 * x.numel())]
    first = workload.modules[0]
    if isinstance(first, CooConvolution):
        return [layer_work(x.shape, x.shape[1], first.linear.weight.shape, False, is_train)]
    return work_of(lambda: first(x), is_train=is_train)


def work_of(run: Callable[[], object], *, is_train: bool) -> list[Work]:
    """The layers of a pass, from the shapes that it calls them with; nothing of the graph layers is computed."""
    layers: list[Work] = []

    def count(layer: GraphLayer) -> Tensor:
        x, nodes = layer.x, layer.operator.shape[0]
        layers.append(layer_work(x.shape, nodes, layer.weight.shape, layer.residual is not None, is_train))
        return x.new_zeros(x.shape[0], nodes, layer.weight.shape[0])

    register_backend(COUNTING, count, supports=lambda x: use_counting[0])
    use_counting[0] = True
    try:
        with use_backend(COUNTING), torch.no_grad():
            products = record_products(run)
    finally:
        use_counting[0] = False
    factor = 3 if is_train else 1  # y, dx and dW
    for left, right in products:
        rows, inner, columns = left.numel() // left[-1], left[-1], right[-1]
        numbers = rows * inner + right.numel() + rows * columns
        layers.append(Work(factor * 2.0 * rows * inner * columns, factor * numbers, factor * numbers))
    return layers


use_counting = [False]  # the counting backend supports no tensor but inside `work_of`


def layer_work(x: torch.Size, nodes: int, weight: torch.Size, has_residual: bool, is_train: bool) -> Work:
    """A graph layer. Shapes: x [B, N or M, C_in], weight [C_out, C_in·K]."""
    batch, height, fan_in = x
    fan_out, order = weight[0], weight[1] // fan_in
    inner, outer = batch * height * fan_in, batch * nodes * fan_out
    flops = 2.0 * batch * height * weight.numel()
    # Clenshaw: the terms are written; each step reads a term, a gathered and an earlier sum, and writes.
    steps = sum(3 + (k + 2 < order) for k in range(order - 1))
    least = inner + outer * (1 + has_residual) + weight.numel()
    unfused = inner + outer * (order + steps + has_residual) + weight.numel()
    if is_train:  # backward reads dy, x and y, writes dx; unfused, the terms of dy are made and read twice
        least += outer * 2 + inner * 2
        unfused += outer * (3 + 3 * (order - 1) + 2 * order) + inner * 2
        flops *= 3
    return Work(flops, least, unfused)


def measure_rates(device: torch.device) -> Rates:
    """Datasheet TFLOP/s where the device is known, else measured; bandwidth measured."""
    name = torch.cuda.get_device_name(device)
    known = next((sheet for part, sheet in DATASHEETS.items() if part in name), None)
    tflops = {dtype: known[dtype] if known else measured_tflops(dtype, device) for dtype in BYTES}
    return Rates(tflops, measured_tb_per_s(device))


def measured_tb_per_s(device: torch.device) -> float:
    """Of a copy of 1 GB, reads plus writes."""
    source = torch.empty(2**28, device=device).normal_()
    target = torch.empty_like(source)
    return 2 * source.nbytes / (1e9 * _median_ms(lambda: target.copy_(source), device))


def measured_tflops(dtype: str, device: torch.device, size: int = 8192) -> float:
    """Of one large product of random matrices."""
    number = torch.bfloat16 if dtype == BF16 else torch.float32
    a, b = (torch.randn(size, size, device=device, dtype=number) for _ in range(2))
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = dtype == TF32
    try:
        return 2 * size**3 / (1e9 * _median_ms(lambda: a @ b, device))
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def _median_ms(run: Callable[[], object], device: torch.device) -> float:
    return median_ms({"run": run}, device, budget_s=0.5)["run"]


def _driver() -> str | None:
    if which("nvidia-smi") is None:
        return None
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.split("\n")[0].strip() or None
