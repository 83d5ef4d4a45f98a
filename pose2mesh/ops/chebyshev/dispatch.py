"""Choice of the backend that computes a Chebyshev convolution.

`backend="auto"` takes the environment variable POSE2MESH_BACKEND if it is set, else the most recently
registered backend that supports the tensor at hand. The reference supports everything.
"""

import functools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor

from pose2mesh.errors import InputError, warn
from pose2mesh.ops import native
from pose2mesh.ops.chebyshev import cpu, cuda, cuda_frame, cuda_fused, plain, reference
from pose2mesh.ops.chebyshev.layer import GraphLayer
from pose2mesh.ops.sparse import SparseOperator
from pose2mesh.ops.upsampling import Upsampling

ENVIRONMENT_VARIABLE = "POSE2MESH_BACKEND"


@dataclass(frozen=True)
class _Backend:
    convolve: Callable[[GraphLayer], Tensor]
    supports: Callable[[Tensor], bool]


class _Chosen(threading.local):
    """By `use_backend`, in this thread."""

    backend: str | None = None


_BACKENDS: dict[str, _Backend] = {}
_CHOSEN = _Chosen()


def register_backend(name: str, convolve: Callable[[GraphLayer], Tensor], supports: Callable[[Tensor], bool]) -> None:
    """Offer `convolve`, which computes a layer; `supports(x)` says whether it can run on x."""
    _BACKENDS[name] = _Backend(convolve, supports)


def backend_names() -> list[str]:
    """Of all backends, also of those that cannot run here."""
    return list(_BACKENDS)


def available_backends(x: Tensor) -> list[str]:
    """Names of the backends that can run on this tensor, the preferred one first."""
    return [name for name, backend in reversed(_BACKENDS.items()) if backend.supports(x)]


def chebyshev_conv(
    x: Tensor,
    operator: SparseOperator,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    activation: str | None = None,
    residual: Tensor | None = None,
    scale: Tensor | None = None,
    upsampling: Upsampling | None = None,
    backend: str = "auto",
) -> Tensor:
    """activation(scale · Σ_k T_k(L) x W_k + bias) + residual on the chosen backend; shapes as in `GraphLayer`.

    Raises InputError when the backend is unknown or cannot run on x, when the operator is not symmetric, or when
    shapes or data types do not belong together.
    """
    layer = GraphLayer(x, operator, weight, bias, activation, residual, scale, upsampling)
    layer.check()
    is_plain = isinstance(operator, SparseOperator)  # a tiled one is made for the reference
    return _BACKENDS[_choose(backend, x) if is_plain else "reference"].convolve(layer)


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Let every layer inside the block that does not name a backend run on this one; other threads are left alone."""
    before, _CHOSEN.backend = _CHOSEN.backend, name
    try:
        yield
    finally:
        _CHOSEN.backend = before


def requested_backend() -> str:
    """The backend of layers that name none: that of `use_backend`, else of the environment, else auto."""
    return _CHOSEN.backend or os.environ.get(ENVIRONMENT_VARIABLE) or "auto"


def _choose(requested: str, x: Tensor) -> str:
    if requested == "auto":
        requested = requested_backend()
    usable = available_backends(x)
    if requested == "auto":
        if x.device.type == "cuda":
            cuda_frame.notice_fallback(x.device)
        if usable[0] == "cpu" and not native.is_available():
            _say_once()
        return usable[0]
    if requested not in usable:
        state = "cannot run on" if requested in _BACKENDS else "is unknown for"
        raise InputError(
            f"Chebyshev backend {requested!r} {state} {x.dtype} on {x.device}; choose "
            f"one of {', '.join(usable)}, auto (argument `backend` or variable {ENVIRONMENT_VARIABLE})"
        )
    return requested


@functools.cache
def _say_once() -> None:
    """Where a command mends it; nobody is sent for a compiler, which `doctor` tells who asks."""
    if native.find_library() is None and not native.has_compiler():
        return
    reason, remedy = native.reason(), native.remedy()
    warn(f"the graph layers run in plain torch, some two times slower than they could ({reason}); {remedy}")


register_backend("reference", reference.convolve, supports=lambda x: True)
register_backend("cpu-torch", plain.convolve, supports=lambda x: x.device.type == "cpu")
register_backend("cpu", cpu.convolve, supports=lambda x: x.device.type == "cpu")
# cuda-fused is chosen by name: `auto` keeps to the path whose cost is known until the other was measured to be faster.
register_backend("cuda-fused", cuda_fused.convolve, supports=cuda_fused.supports)
register_backend("cuda", cuda.convolve, supports=cuda_frame.can_run_kernels)
