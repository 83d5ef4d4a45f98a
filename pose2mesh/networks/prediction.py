"""What every network returns."""

from typing import NamedTuple

from torch import Tensor


class MeshPrediction(NamedTuple):
    """Pelvis-relative (hand: wrist-relative), camera axes (x right, y down, z forward)."""

    vertices: Tensor  # [B, V, 3] metres
    joints: Tensor  # [B, J, 3] metres
