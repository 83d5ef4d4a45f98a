"""Weights in the order in which one dense product takes them; kept in inference, where they stay the same."""

from torch import Tensor

from pose2mesh.ops.kept import Kept


def wide_weight(weight: Tensor, order: int, *, is_kept: bool) -> Tensor:
    """[C_out, C_in·K], column c·K + k, to [C_in, K·C_out], column k·C_out + c': all terms in one product."""
    return _WIDE.get(weight, order=order) if is_kept else _lay_out_wide(weight.detach(), order)


def tall_weight(weight: Tensor, order: int, *, is_kept: bool) -> Tensor:
    """[C_out, C_in·K], column c·K + k, to [K·C_in, C_out], row k·C_in + c: for terms that lie side by side."""
    return _TALL.get(weight, order=order) if is_kept else _lay_out_tall(weight.detach(), order)


def _lay_out_wide(weight: Tensor, order: int) -> Tensor:
    return weight.unflatten(1, (-1, order)).permute(1, 2, 0).flatten(1)


def _lay_out_tall(weight: Tensor, order: int) -> Tensor:
    return weight.unflatten(1, (-1, order)).permute(2, 1, 0).flatten(0, 1).contiguous()


_WIDE, _TALL = Kept(_lay_out_wide), Kept(_lay_out_tall)
