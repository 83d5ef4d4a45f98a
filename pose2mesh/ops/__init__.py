"""The numerical core: sparse products and graph convolution. Knows tensors, not bodies."""

from pose2mesh.ops.chebyshev import (
    available_backends,
    chebyshev_basis,
    chebyshev_conv,
    register_backend,
    use_backend,
)
from pose2mesh.ops.sparse import SparseOperator
from pose2mesh.ops.tiled import TiledOperator, with_tiled_operators

__all__ = [
    "SparseOperator",
    "TiledOperator",
    "available_backends",
    "chebyshev_basis",
    "chebyshev_conv",
    "register_backend",
    "use_backend",
    "with_tiled_operators",
]
