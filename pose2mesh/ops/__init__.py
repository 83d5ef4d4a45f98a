"""The numerical core: sparse products and graph convolution. Knows tensors, not bodies."""

from pose2mesh.ops.chebyshev import available_backends, chebyshev_basis, chebyshev_conv, register_backend
from pose2mesh.ops.sparse import SparseOperator

__all__ = ["SparseOperator", "available_backends", "chebyshev_basis", "chebyshev_conv", "register_backend"]
