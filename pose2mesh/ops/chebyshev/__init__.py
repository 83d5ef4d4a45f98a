"""Chebyshev graph convolution (Defferrard et al., NeurIPS 2016): one signature, several backends."""

from pose2mesh.ops.chebyshev.dispatch import (
    available_backends,
    backend_names,
    chebyshev_conv,
    register_backend,
    requested_backend,
    use_backend,
)
from pose2mesh.ops.chebyshev.reference import chebyshev_basis

__all__ = [
    "available_backends",
    "backend_names",
    "chebyshev_basis",
    "chebyshev_conv",
    "register_backend",
    "requested_backend",
    "use_backend",
]
