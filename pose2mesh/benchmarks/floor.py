"""The lower bound: the dense products of a pass alone, in the same shapes and order."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_PRODUCTS = (torch.ops.aten.mm.default, torch.ops.aten.addmm.default, torch.ops.aten.bmm.default)
_IN_PLACE = (torch.ops.aten.addmm_.default,)


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
