import pytest
import torch

from pose2mesh.benchmarks import memory

needs_linux = pytest.mark.skipif(not memory._RESET.exists(), reason="needs Linux's /proc")


@needs_linux
@pytest.mark.parametrize("megabytes", [20, 300])
def test_the_rise_of_the_resident_set(megabytes):
    rise = memory._rise_of_resident_set(lambda: torch.ones(megabytes * 250_000))
    assert megabytes * 0.9 <= rise <= megabytes + 15


@needs_linux
def test_what_was_freed_before_does_not_hide_a_pass():
    torch.ones(50_000_000)
    assert 90 <= memory._rise_of_resident_set(lambda: torch.ones(25_000_000)) <= 115


def test_a_process_that_fails_leaves_the_cell_empty():
    assert memory.peak_mb("no such workload", 0, "cpu", "forward", 1) is None
