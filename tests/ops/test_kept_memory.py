"""Memory that is kept: who may overwrite whom, and that nothing changes but the place of the numbers."""

import copy
import threading

import pytest
import torch
from torch import nn

from pose2mesh.ops import memory, reused_activations
from pose2mesh.ops.memory import move_to_huge_pages


@torch.no_grad()
def test_an_activation_lasts_until_the_fourth_after_it():
    with reused_activations():
        taken = [memory.new_activation((2, 3, 5), torch.float32) for _ in range(9)]
    places = [tensor.data_ptr() for tensor in taken]
    assert len(set(places[:4])) == 4
    assert places[4:8] == places[:4]
    outside = memory.new_activation((2, 3, 5), torch.float32)
    assert outside.data_ptr() not in places


def test_activations_are_fresh_where_a_gradient_may_need_them():
    with reused_activations():
        taken = [memory.new_activation((2, 3, 5), torch.float32) for _ in range(9)]
    assert len({tensor.data_ptr() for tensor in taken}) == 9


@torch.no_grad()
def test_what_an_error_leaves_behind():
    with pytest.raises(ValueError, match="in the middle"), reused_activations():
        raise ValueError("in the middle")
    taken = [memory.new_activation((4,), torch.float32) for _ in range(9)]
    assert len({tensor.data_ptr() for tensor in taken}) == 9


def test_scratch_grows_and_is_apart_for_each_use_type_and_thread():
    first = memory.scratch("a", (3, 4), torch.float32)
    assert memory.scratch("a", (12,), torch.float32).data_ptr() == first.data_ptr()
    others = [memory.scratch("b", (3, 4), torch.float32), memory.scratch("a", (3, 4), torch.float64)]
    thread = threading.Thread(target=lambda: others.append(memory.scratch("a", (3, 4), torch.float32)))
    thread.start()
    thread.join()
    larger = memory.scratch("a", (300, 400), torch.float32)
    larger.fill_(1)  # all of it is ours
    assert len({tensor.data_ptr() for tensor in (first, larger, *others)}) == 5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_large_memory_is_whole_and_aligned(dtype):
    tensor = memory.empty(3_000_001, dtype)
    assert tensor.shape == (3_000_001,)
    assert tensor.dtype == dtype
    tensor.copy_(torch.arange(3_000_001) % 7)
    assert torch.equal(tensor.long(), torch.arange(3_000_001) % 7)
    assert tensor.data_ptr() % 64 == 0


def test_moving_keeps_parameters_and_values():
    network = nn.Sequential(nn.Linear(1000, 1000), nn.Linear(1000, 3))
    before, objects = copy.deepcopy(network), list(network.parameters())
    move_to_huge_pages(network)
    assert all(a is b for a, b in zip(network.parameters(), objects, strict=True))
    for moved, kept in zip(network.parameters(), before.parameters(), strict=True):
        assert torch.equal(moved, kept)
    network(torch.randn(2, 1000)).sum().backward()  # it still learns
    assert network[0].weight.grad is not None


def test_moving_where_there_are_no_huge_pages(monkeypatch):
    monkeypatch.delattr(memory.mmap, "MADV_HUGEPAGE", raising=False)
    network = nn.Linear(1000, 1000)
    before = network.weight.detach().clone()
    move_to_huge_pages(network)
    assert torch.equal(network.weight, before)


def test_moved_parameters_are_saved_without_the_rest_of_their_pages(tmp_path):
    layer = nn.Linear(1024, 520)  # a little more than one huge page
    before, after = tmp_path / "before.pt", tmp_path / "after.pt"
    torch.save(layer.state_dict(), before)
    move_to_huge_pages(layer)
    torch.save(layer.state_dict(), after)
    assert after.stat().st_size == pytest.approx(before.stat().st_size, rel=0.01)
