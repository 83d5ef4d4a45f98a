"""What follows a graph convolution, as `chebyshev_conv` does it."""

from torch import Tensor


def finish(y: Tensor, activation: str | None, residual: Tensor | None) -> Tensor:
    """activation(y) + residual; all [B, N, C], `activation` is None or "relu"."""
    y = y.relu() if activation == "relu" else y
    return y if residual is None else y + residual
