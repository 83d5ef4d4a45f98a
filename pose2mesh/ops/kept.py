"""What follows from parameters alone, made once in inference: weights laid out for a product, folded batch norms.

A network at batch 1 sweeps the caches with its weights, and every torch call in between starts cold: 50 to 200 µs each
(docs/kernels.md). So a look at whether a parameter has changed must not call torch.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

_UNSIGNED = {1: ctypes.c_uint8, 2: ctypes.c_uint16, 4: ctypes.c_uint32, 8: ctypes.c_uint64}


class Kept:
    """Values made of tensors, each kept for as long as its tensors stay as they are.

    Torch's count of writes tells a change, the first number a write through `.data`, which goes past that count.
    """

    def __init__(self, make: Callable[..., Any]):
        """`make` gets the tensors, detached, and what else is given to `get`."""
        self._make = make
        self._made = WeakIdKeyDictionary()  # first tensor to (state of all, value)

    def get(self, *tensors: Tensor, **options: Any) -> Any:
        """make(tensors, options); other options make it anew. Only where no gradient is wanted."""
        if torch.compiler.is_compiling() or any(t.is_inference() or not t.is_leaf for t in tensors):
            return self._make(*(t.detach() for t in tensors), **options)
        state = (*map(_state, tensors), *options.values())
        entry = self._made.get(tensors[0])
        if entry is None or entry[0] != state:
            with torch.inference_mode(False), torch.no_grad():  # what is kept must be usable in training, too
                entry = self._made[tensors[0]] = (state, self._make(*(t.detach() for t in tensors), **options))
        return entry[1]


def _state(tensor: Tensor) -> tuple[int, int, int]:
    """(count of writes, address, bytes of the first number on the CPU)."""
    address = tensor.data_ptr()
    is_readable = tensor.device.type == "cpu" and tensor.numel() > 0
    first = _UNSIGNED[tensor.element_size()].from_address(address).value if is_readable else 0
    return tensor._version, address, first
