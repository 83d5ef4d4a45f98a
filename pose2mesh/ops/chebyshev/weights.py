"""Weights in the order in which one dense product takes them; kept in inference, where they stay the same."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary


class _Kept(NamedTuple):
    version: int
    address: int
    probe: Tensor  # a copy of the first row
    laid_out: Tensor


_WIDE, _TALL = WeakIdKeyDictionary(), WeakIdKeyDictionary()  # by weight: what was laid out of it


def wide_weight(weight: Tensor, order: int, *, is_kept: bool) -> Tensor:
    """[C_out, C_in·K], column c·K + k, to [C_in, K·C_out], column k·C_out + c': all terms in one product."""

    def lay_out(weight: Tensor) -> Tensor:
        return weight.unflatten(1, (-1, order)).permute(1, 2, 0).flatten(1)

    return _kept(weight, _WIDE, lay_out) if is_kept else lay_out(weight.detach())


def tall_weight(weight: Tensor, order: int, *, is_kept: bool) -> Tensor:
    """[C_out, C_in·K], column c·K + k, to [K·C_in, C_out], row k·C_in + c: for terms that lie side by side."""

    def lay_out(weight: Tensor) -> Tensor:
        return weight.unflatten(1, (-1, order)).permute(2, 1, 0).flatten(0, 1).contiguous()

    return _kept(weight, _TALL, lay_out) if is_kept else lay_out(weight.detach())


def _kept(weight: Tensor, kept_by_weight: WeakIdKeyDictionary, lay_out: Callable[[Tensor], Tensor]) -> Tensor:
    """Parameters are laid out once.

    A changed one is noticed by torch's count of writes, and by its first row where a write through `.data` went past
    that count.
    """
    if not weight.is_leaf or weight.is_inference():
        return lay_out(weight.detach())
    entry: _Kept | None = kept_by_weight.get(weight)
    weight_now = weight.detach()
    state = weight._version, weight.data_ptr()
    if entry is None or entry[:2] != state or not torch.equal(entry.probe, weight_now[0]):
        with torch.inference_mode(False):
            entry = _Kept(*state, weight_now[0].clone(), lay_out(weight_now))
        kept_by_weight[weight] = entry
    return entry.laid_out
