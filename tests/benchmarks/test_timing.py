import time

import pytest
import torch

from pose2mesh.benchmarks.passes import floor_of
from pose2mesh.benchmarks.timing import median_ms

CPU = torch.device("cpu")


def test_medians_of_interleaved_runs():
    calls = []
    runs = {
        "short": lambda: (calls.append("short"), time.sleep(0.002)),
        "long": lambda: (calls.append("long"), time.sleep(0.06)),
    }
    times = median_ms(runs, CPU, budget_s=0.01, least_runs=3)
    assert times["short"] >= 2 and times["long"] >= 60 and times["short"] < times["long"]
    assert calls[-1] == "long" and calls.count("long") >= 4  # a warm-up, then three rounds
    rounds = "".join(name[0] for name in calls[-20:]).strip("s")
    assert "ls" in rounds or calls.count("short") <= 12  # the short one ran between the long ones


def test_processor_time_does_not_count_waiting():
    times = median_ms({"wait": lambda: time.sleep(0.02)}, CPU, budget_s=0.01, is_cpu_time=True)
    assert times["wait"] < 10


def test_the_floor_is_the_dense_products_alone():
    """Counted by torch's own counter of operations."""
    from torch.utils.flop_counter import FlopCounterMode

    a, b = torch.randn(6, 5, requires_grad=True), torch.randn(5, 7)
    sparse = torch.eye(6).to_sparse_csr()

    def run():
        return torch.addmm(torch.zeros(7), sparse @ a.detach(), b)

    products = floor_of(run)
    with FlopCounterMode(display=False) as counter:
        products()
    assert counter.get_total_flops() == 2 * 6 * 5 * 7


@pytest.mark.parametrize("order", [1, 3])
def test_the_floor_of_a_layer_has_its_operations_forward_and_backward(order):
    from torch.utils.flop_counter import FlopCounterMode

    layer, x = torch.nn.Linear(4 * order, 3), torch.randn(8, 4 * order, requires_grad=True)
    products = floor_of(lambda: layer(x).sum().backward())
    with FlopCounterMode(display=False) as counter:
        products()
    assert counter.get_total_flops() == 3 * 2 * 8 * 4 * order * 3  # y, dx and dW
