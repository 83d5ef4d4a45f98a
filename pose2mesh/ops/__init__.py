"""The numerical core: sparse products and graph convolution. Knows tensors, not bodies."""

from pose2mesh.ops.batch_norm import batch_norm_relu
from pose2mesh.ops.chebyshev.dispatch import (
    available_backends,
    backend_names,
    chebyshev_conv,
    register_backend,
    requested_backend,
    use_backend,
)
from pose2mesh.ops.chebyshev.layer import GraphLayer
from pose2mesh.ops.chebyshev.reference import chebyshev_basis
from pose2mesh.ops.kept import Kept, freeze
from pose2mesh.ops.memory import LIFETIME, in_micro_batches, reused_activations
from pose2mesh.ops.sparse import SparseOperator
from pose2mesh.ops.tiled import TiledOperator, with_tiled_operators
from pose2mesh.ops.upsampling import Upsampling

__all__ = [
    "LIFETIME",
    "GraphLayer",
    "Kept",
    "SparseOperator",
    "TiledOperator",
    "Upsampling",
    "available_backends",
    "backend_names",
    "batch_norm_relu",
    "chebyshev_basis",
    "chebyshev_conv",
    "freeze",
    "in_micro_batches",
    "register_backend",
    "requested_backend",
    "reused_activations",
    "use_backend",
    "with_tiled_operators",
]
