"""What follows from parameters alone, made once in inference: weights laid out for a product, folded batch norms.

A network at batch 1 sweeps the caches with its weights, and every torch call in between starts cold: 50 to 200 µs each
(docs/kernels.md). So a look at whether a parameter has changed must not call torch.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

_NUMBERS = 8  # of a parameter that are looked at
_WORDS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class _Entry(NamedTuple):
    state: tuple[Any, ...]  # counts of writes, addresses, options
    samples: list[np.ndarray]  # a few numbers of each tensor, where they lie
    numbers: list[bytes]  # what they were
    value: Any


class Kept:
    """Values made of tensors, each kept for as long as its tensors stay as they are.

    Torch's count of writes tells a change; a write through `.data`, which goes past that count, is told by a few
    numbers spread over the tensor (on the CPU).
    """

    def __init__(self, make: Callable[..., Any]):
        """`make` gets the tensors, detached, and what else is given to `get`."""
        self._make = make
        self._made = WeakIdKeyDictionary()  # first tensor to _Entry

    def get(self, *tensors: Tensor, **options: Any) -> Any:
        """make(tensors, options); other options make it anew. Only where no gradient is wanted."""
        if not _can_be_kept(tensors):
            return self._make(*(t.detach() for t in tensors), **options)
        state = (*((t._version, t.data_ptr()) for t in tensors), *options.values())
        entry: _Entry | None = self._made.get(tensors[0])
        if entry is None or entry.state != state or [s.tobytes() for s in entry.samples] != entry.numbers:
            with torch.inference_mode(False), torch.no_grad():  # what is kept must be usable in training, too
                value = self._make(*(t.detach() for t in tensors), **options)
            samples = [_sample(t) for t in tensors if t.device.type == "cpu"]
            entry = self._made[tensors[0]] = _Entry(state, samples, [s.tobytes() for s in samples], value)
        return entry.value


def _can_be_kept(tensors: tuple[Tensor, ...]) -> bool:
    """A CUDA graph must contain the making, or its replays would not see new values."""
    if torch.compiler.is_compiling() or any(t.is_inference() or not t.is_leaf for t in tensors):
        return False
    return not (tensors[0].is_cuda and torch.cuda.is_current_stream_capturing())


def _sample(tensor: Tensor) -> np.ndarray:
    """A view of some numbers, spread over a tensor on the CPU, as integers: no number equals another by rounding."""
    words = tensor.detach().view(_WORDS[tensor.element_size()]).flatten()
    return words[:: max(1, -(-len(words) // _NUMBERS))].numpy()
