"""Memory of the CPU paths: kept, since fresh pages cost more than their use, and in huge pages where there are any.

A page of 4 KiB is mapped and cleared on first use and looked up on every other one. On the paper's network this is 4 ms
a pass for the activations and a third of the time in which the weights are read (docs/kernels.md). The activations of a
large batch fit no cache: a few samples go at a time.
"""

import mmap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

_HUGE_PAGE = 1 << 21  # bytes
LIFETIME = 3  # results of layers that follow an activation before it is overwritten
_ROWS = 8192  # about one body of full resolution, or ten hands


class _Kept(threading.local):
    """What one thread keeps: memory by the name of its use, and whose turn it is among the activations."""

    def __init__(self) -> None:
        self.memory: dict[tuple[object, torch.dtype], Tensor] = {}
        self.turn: int | None = None  # None: activations are fresh memory


_KEPT = _Kept()


def empty(count: int, dtype: torch.dtype) -> Tensor:
    """[count] of memory, in huge pages where it fills one and the system has them."""
    size = count * dtype.itemsize
    if size < _HUGE_PAGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return torch.empty(count, dtype=dtype, device="cpu")
    pages = -(-size // _HUGE_PAGE) + 1  # one more, to begin where a page begins
    mapped = mmap.mmap(-1, pages * _HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    mapped.madvise(mmap.MADV_HUGEPAGE)
    start = -torch.frombuffer(mapped, dtype=torch.uint8).data_ptr() % _HUGE_PAGE
    return torch.frombuffer(mapped, dtype=dtype, count=count, offset=start)  # keeps the mapping alive


def scratch(use: object, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Memory that the next call for the same use in this thread overwrites."""
    count, key = prod(shape), (use, dtype)
    kept = _KEPT.memory.get(key)
    if kept is None or kept.numel() < count:
        with torch.inference_mode(False):  # it must be usable in training, too
            kept = _KEPT.memory[key] = empty(count, dtype)
    return kept[:count].view(shape)


def new_activation(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Memory for the result of a layer: fresh, or within `reused_activations` that of an earlier one."""
    if _KEPT.turn is None:
        return torch.empty(shape, dtype=dtype, device="cpu")
    _KEPT.turn = (_KEPT.turn + 1) % (LIFETIME + 1)
    return scratch(_KEPT.turn, shape, dtype)


@contextmanager
def reused_activations() -> Iterator[None]:
    """Within this block, on the CPU and without gradients, the result of a layer lasts until the fourth one after it.

    For networks that know how long they need their activations; what leaves the block must be a copy.
    """
    before, _KEPT.turn = _KEPT.turn, None if torch.is_grad_enabled() else 0
    try:
        yield
    finally:
        _KEPT.turn = before


def move_to_huge_pages(module: nn.Module) -> None:
    """Move the parameters of a module that lie on the CPU into huge pages, those that fill one.

    A network at batch 1 waits for its weights; they are read faster from there. The parameters stay the same objects.
    """
    for parameter in module.parameters():
        is_large = parameter.numel() * parameter.element_size() >= _HUGE_PAGE
        if is_large and parameter.device.type == "cpu" and parameter.is_contiguous():
            moved = empty(parameter.numel(), parameter.dtype).view_as(parameter)
            parameter.data = moved.copy_(parameter.data)


def in_micro_batches(module: nn.Module, run: Callable[[Tensor], Tensor], x: Tensor, rows: int) -> Tensor:
    """run(x), in inference on the CPU for a few samples after another; `rows` counts those of a sample's widest layer.

    Only for what treats every sample by itself, and whose result is not that of a graph layer: layers take turns in the
    same memory (`reused_activations`). Where hooks watch `module`, which runs, all samples go at once through memory of
    their own, so that hooks see and may keep what layers return. Shapes: x [B, ...]; returns [B, ...].
    """
    is_plain = torch.is_grad_enabled() or x.device.type != "cpu" or torch.compiler.is_compiling()
    if is_plain or _is_watched(module):
        return run(x)
    count = max(1, _ROWS // rows)
    with reused_activations():
        if x.shape[0] <= count:
            return run(x)
        first = run(x[:count])
        out = first.new_empty(x.shape[0], *first.shape[1:])
        out[:count] = first
        for start in range(count, x.shape[0], count):
            out[start : start + count] = run(x[start : start + count])
    return out


def _is_watched(module: nn.Module) -> bool:
    """Whether a forward hook of the module, of a part of it, or of all modules is registered."""
    if torch_module._global_forward_hooks or torch_module._global_forward_pre_hooks:
        return True
    return any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
