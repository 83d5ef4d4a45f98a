"""What follows from frozen weights alone, made once: weights laid out for a product, folded batch norms.

A network at batch 1 sweeps the caches with its weights, and every torch call in between starts cold: 50 to 200 µs each
(docs/kernels.md). So a look at whether a weight has changed must not call torch.
"""

from collections.abc import Callable
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from pose2mesh.ops.memory import move_to_huge_pages

_WORDS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
_MARK = "_pose2mesh_is_frozen"


def freeze(module: nn.Module) -> None:
    """Make a module ready for inference: evaluation mode, weights in huge pages and without gradients.

    What follows from its weights is kept from now on. `requires_grad_(True)` on the module, or a part of it, undoes
    that; copies are not frozen. A weight that is changed all the same, in whatever way, is noticed at its next use.
    """
    module.eval().requires_grad_(False)
    move_to_huge_pages(module)
    for tensor in chain(module.parameters(), module.buffers()):
        setattr(tensor, _MARK, True)


class _Entry(NamedTuple):
    state: tuple[Any, ...]  # addresses, options
    views: list[np.ndarray]  # the tensors' bits, where they lie
    copies: list[np.ndarray]  # what they were
    value: Any


class Kept:
    """Values made of frozen tensors on the CPU, each kept for as long as its tensors hold the same bits.

    All bits are compared, a tenth of a millisecond for a megabyte: torch's count of writes does not see those through
    `.data` and NumPy. Of tensors that are not frozen, or on a GPU, where looking would wait, values are made anew.
    """

    def __init__(self, make: Callable[..., Any]):
        """`make` gets the tensors, detached, and what else is given to `get`."""
        self._make = make
        self._made = WeakIdKeyDictionary()  # first tensor to _Entry

    def get(self, *tensors: Tensor, **options: Any) -> Any:
        """make(tensors, options); other options make it anew. Only where no gradient is wanted."""
        if not _can_be_kept(tensors):
            return self._make(*(t.detach() for t in tensors), **options)
        state = (*(t.data_ptr() for t in tensors), *(t.shape for t in tensors), *options.values())
        entry: _Entry | None = self._made.get(tensors[0])
        if entry is None or entry.state != state or not all(map(np.array_equal, entry.views, entry.copies)):
            views = [_bits(t) for t in tensors]
            copies = [view.copy() for view in views]  # before the making: a write in between is noticed next time
            with torch.inference_mode(False), torch.no_grad():  # what is kept must be usable in training, too
                value = self._make(*(t.detach() for t in tensors), **options)
            entry = self._made[tensors[0]] = _Entry(state, views, copies, value)
        return entry.value


def _can_be_kept(tensors: tuple[Tensor, ...]) -> bool:
    """Whether all are frozen, lie on the CPU, and nobody records what is done with them."""
    return not torch.compiler.is_compiling() and all(
        getattr(t, _MARK, False) and t.device.type == "cpu" and not (t.requires_grad or t.is_inference())
        for t in tensors
    )


def _bits(tensor: Tensor) -> np.ndarray:
    """The numbers of a tensor on the CPU as integers, without a copy: no number equals another by rounding."""
    if not tensor.is_contiguous():
        return tensor.detach().view(_WORDS[tensor.element_size()]).numpy()
    words = tensor.detach().flatten().view(_WORDS[tensor.element_size()]).numpy()
    return words.view(np.int64) if words.nbytes % 8 == 0 and words.nbytes else words
