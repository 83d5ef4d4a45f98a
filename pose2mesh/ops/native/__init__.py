"""The C++ kernels of graph layers and of drawing: found, loaded on first use, called through ctypes. Never built here.

`pip install` builds them where there is a compiler (hatch_build.py), `pose2mesh build-kernels` any time later. Where
they are missing, everything works without them, slower. See docs/decisions/0030-native-kernels.md.
"""

import ctypes
import functools
from pathlib import Path

import torch

from pose2mesh.ops.native.build import BuildError, find_compiler, levels, library_name
from pose2mesh.paths import cache_dir

_PACKAGE_FOLDER = Path(__file__).resolve().parent / "lib"
_POINTER = ctypes.c_void_p
# Each exists with _float32 and _float64 at its end and takes what it needs of torch. The layers then take the tiles of
# an operator and their own arguments and return 0, or 1 out of memory; the norms take their arguments.
_LAYERS = ("convolve", "combine", "backward")
_NORMS = ("norm_statistics", "norm_apply", "norm_sums", "norm_backward")
_TORCH_SYMBOLS = (
    "torch_parallel_for",
    "aoti_torch_create_tensor_from_blob",
    "aoti_torch_cpu_addmm_out",
    "aoti_torch_delete_tensor_object",
)
_SUFFIXES = {torch.float32: "float32", torch.float64: "float64"}


class _Torch(ctypes.Structure):
    """Functions of torch's stable C interface and its numbers for a device and two data types."""

    _fields_ = (
        *((name, _POINTER) for name in ("parallel_for", "from_blob", "addmm_out", "free_tensor")),
        *((name, ctypes.c_int32) for name in ("cpu", "float32", "float64")),
    )


def folders() -> tuple[Path, Path]:
    """Where the libraries may be: in the package and in the user's cache."""
    return _PACKAGE_FOLDER, cache_dir() / "kernels"


@functools.cache
def find_library() -> Path | None:
    """The library for the best instructions of this machine; None where none was built from these sources."""
    capability = torch.backends.cpu.get_cpu_capability()
    usable = levels()
    usable = usable[usable.index(capability) :] if capability in usable else usable[-1:]
    candidates = (folder / library_name(level) for level in usable for folder in folders())
    return next((path for path in candidates if path.is_file()), None)


@functools.cache
def functions(dtype: torch.dtype) -> "dict[str, functools.partial] | None":
    """The kernels for a data type by name; None where they are missing or this torch lacks what they need."""
    loaded, interface = library(), _interface()
    if loaded is None or interface is None or dtype not in _SUFFIXES:
        return None
    bound = {}
    for name in (*_LAYERS, *_NORMS):
        function = loaded[f"{name}_{_SUFFIXES[dtype]}"]
        function.argtypes = (_POINTER,) * (3 if name in _LAYERS else 2)
        function.restype = ctypes.c_int32 if name in _LAYERS else None
        bound[name] = functools.partial(function, ctypes.addressof(interface))
    return bound


@functools.cache
def library() -> ctypes.CDLL | None:
    """The loaded library; None where there is none, or one that is damaged or of another machine."""
    path = find_library()
    try:
        return None if path is None else ctypes.CDLL(str(path))
    except OSError:
        return None


def is_available() -> bool:
    return functions(torch.float32) is not None


def reason() -> str:
    """Why the kernels are not there, for the time that `is_available` is false."""
    if find_library() is None:
        return "no compiled kernels of this version"
    if library() is None:
        return f"{find_library()} cannot be loaded"
    return f"torch {torch.__version__} lacks the C interface that the kernels call"


def remedy() -> str:
    """What to do about it."""
    if find_library() is None:
        return "run: pose2mesh build-kernels" + ("" if has_compiler() else ", which takes a C++ compiler")
    return "upgrade torch" if library() else "remove it and run: pose2mesh build-kernels"


def has_compiler() -> bool:
    try:
        return bool(find_compiler())
    except BuildError:
        return False


@functools.cache
def _interface() -> _Torch | None:
    """Looked up by name in the library that torch itself has loaded. Before torch 2.10 there is no parallel loop: then
    the kernels run on one thread."""
    folder = Path(torch.__file__).parent / "lib"
    candidates = (folder / name for name in ("libtorch_cpu.so", "libtorch_cpu.dylib"))
    library = next((path for path in candidates if path.is_file()), None)
    if library is None:
        return None
    symbols = ctypes.CDLL(str(library))
    loop, *needed = (getattr(symbols, name, None) for name in _TORCH_SYMBOLS)
    if None in needed:
        return None
    addresses = (None if f is None else ctypes.cast(f, _POINTER).value for f in (loop, *needed))
    numbers = (symbols[f"aoti_torch_{name}"]() for name in ("device_type_cpu", "dtype_float32", "dtype_float64"))
    return _Torch(*addresses, *numbers)
