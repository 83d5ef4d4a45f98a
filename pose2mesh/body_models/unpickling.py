"""The one place that opens pickles: named arrays out of body models and 3DPW sequences, and nothing ever runs.

Every class and function that a file may name is replaced by an inert class of this module; the unpickler only fills
those in. Arrays are made afterwards, from bytes whose length has been checked against shape and type. What a file may
name: NumPy's arrays and their types, SciPy's compressed sparse matrices, objects of chumpy (no longer installable;
licensed models hold them). Everything else is refused before it is imported. See docs/decisions/0020.
"""

import io
import pickle
from collections.abc import Callable, Iterable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from pose2mesh.body_models.pickle_scan import check_opcodes
from pose2mesh.errors import FormatError, MissingFileError

MAX_BYTES = 512 * 2**20  # SMPL with 300 shape components is 250 MB
_MAX_NESTED = 8  # chumpy selections within selections
_MAX_ITEMS = 64  # in one list; 3DPW has a list item a person, at most two
_MAX_NUMBERS = 2**26  # in one array; the largest of SMPL, 300 shape components, has 6 million
_NUMBER_CODES = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"}
_REMEDY = "download it again from the model's own page"


def read_pickle(path: str | Path, fields: Iterable[str], optional: Iterable[str] = ()) -> dict[str, np.ndarray]:
    """The named arrays of a pickled dictionary, sparse ones made dense; other entries are not looked at.

    Raises MissingFileError, and FormatError naming file, entry and remedy for a file that is truncated, foreign, too
    large, asks for anything but arrays, or lacks one of `fields`.
    """
    fields = tuple(fields)
    entries = _read_entries(Path(path), fields, "body model", _REMEDY)
    wanted = [*fields, *(name for name in optional if name in entries)]
    return {name: _converted(Path(path), name, entries[name], to_array, _REMEDY) for name in wanted}


def read_values(path: str | Path, fields: Iterable[str], remedy: str) -> dict[str, Any]:
    """The named values of a pickled dictionary: arrays, texts, or lists of these; `remedy` ends each message.

    What the file may name is the same as for `read_pickle`; errors too.
    """
    fields = tuple(fields)
    entries = _read_entries(Path(path), fields, "sequence file", remedy)
    return {name: _converted(Path(path), name, entries[name], _to_value, remedy) for name in fields}


def _read_entries(path: Path, fields: tuple[str, ...], kind: str, remedy: str) -> dict:
    """The dictionary in a file, its values inert."""
    content = _read_bytes(path, kind, remedy)
    try:
        check_opcodes(content)
        entries = _Unpickler(io.BytesIO(content), encoding="latin1").load()
    except Exception as error:  # damaged bytes fail in a dozen ways, none of which is the user's concern
        raise FormatError(f"{path} is damaged or no {kind} ({_shorten(error)}); {remedy}") from error
    if not isinstance(entries, dict):
        raise FormatError(f"{path} holds no dictionary of arrays, so it is no {kind}; {remedy}")
    if missing := [name for name in fields if name not in entries]:
        raise FormatError(f"{path} lacks {', '.join(missing)}, so it is not the {kind} asked for; {remedy}")
    return entries


def _read_bytes(path: Path, kind: str, remedy: str) -> bytes:
    if not path.is_file():
        raise MissingFileError(f"no {kind} at {path}; {remedy}")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise FormatError(f"{path} has {size / 2**20:.0f} MB, more than any {kind} (512 MB); {remedy}")
    return path.read_bytes()


def _converted(path: Path, name: str, value: Any, convert: Callable[[Any], Any], remedy: str) -> Any:
    try:
        return convert(value)
    except Exception as error:  # what a file claims about an array may contradict itself in any way
        raise FormatError(f"{path}: {name!r} is not a readable array ({_shorten(error)}); {remedy}") from error


def _to_value(value: Any) -> Any:
    """A text, an array, or a list of them with one item a person; numbers must be finite."""
    if not isinstance(value, list) or all(type(item) in (int, float) for item in value):
        return _to_item(value)
    items, numbers = [], 0
    for item in value:  # a file may name one large array ten thousand times
        items.append(_to_item(item))
        numbers += len(items[-1]) if isinstance(items[-1], str) else items[-1].size
        if len(items) > _MAX_ITEMS or numbers > _MAX_NUMBERS:
            raise ValueError("its list is longer than in any sequence")
    return items


def _to_item(value: Any) -> Any:
    if isinstance(value, str):
        return value
    array = to_array(value)
    if not np.isfinite(array).all():
        raise ValueError("it holds numbers that are not finite")
    return array


def _shorten(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 120 else text[:117] + "..."


class _Sealed(type):
    """Makes classes that a file cannot alter (the opcode BUILD sets attributes on whatever it is given)."""

    def __setattr__(cls, name: str, value: object) -> None:
        raise pickle.UnpicklingError(f"the file alters {cls.__name__}")


class _Inert(metaclass=_Sealed):
    """Keeps what the file says about an object; does nothing."""

    __slots__ = ("arguments", "state")

    def __new__(cls, *arguments: Any) -> "_Inert":
        new = super().__new__(cls)
        new.arguments, new.state = arguments, None
        return new

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Base(_Inert):
    """`object`, `set` and `numpy.ndarray` where they are named as types."""


class _DType(_Inert):
    """numpy.dtype: arguments (code, align, copy), state (version, byte order, ...)."""


class _Array(_Inert):
    """numpy.ndarray: state (version, shape, dtype, is Fortran order, bytes)."""


class _ArrayFromBuffer(_Inert):
    """numpy's array of protocol 5: arguments (bytes, dtype, shape, order)."""


class _Scalar(_Inert):
    """A number of NumPy's on its own: arguments (dtype, bytes). Kept inert: no entry that is read is one."""


class _CompressedRows(_Inert):
    """scipy.sparse.csr_matrix: state with data, indices, indptr, _shape."""


class _CompressedColumns(_Inert):
    """scipy.sparse.csc_matrix, likewise."""


class _Chumpy(_Inert):
    """chumpy.Ch: an array under `x`."""


class _ChumpySelect(_Inert):
    """chumpy's selection of entries `idxs` of another array `a`."""


class _NewArray(metaclass=_Sealed):
    """numpy's `_reconstruct`: an empty array that its state fills; the arguments are not used."""

    def __new__(cls, *_: Any) -> Any:
        return _Array()


class _NewObject(metaclass=_Sealed):
    """copyreg's `_reconstructor`: an object of a class, from protocols 0 and 1."""

    def __new__(cls, kind: Any, *_: Any) -> Any:
        if not (isinstance(kind, _Sealed) and issubclass(kind, _Inert)):
            raise pickle.UnpicklingError("the file makes an object of something that is no class")
        return kind()


class _Encode(metaclass=_Sealed):
    """`_codecs.encode`: how Python 3 writes bytes in protocol 2."""

    def __new__(cls, text: Any, encoding: Any) -> Any:
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise pickle.UnpicklingError(f"the file encodes {type(text).__name__} as {str(encoding)[:20]!r}")
        return text.encode("latin1")


_REPLACEMENTS: dict[tuple[str, str], type] = {
    ("_codecs", "encode"): _Encode,
    ("numpy", "ndarray"): _Base,
    ("numpy", "dtype"): _DType,
    ("chumpy", "Ch"): _Chumpy,
    ("chumpy.ch", "Ch"): _Chumpy,
    ("chumpy.reordering", "Select"): _ChumpySelect,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _NewArray for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _Scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _ArrayFromBuffer for core in ("core", "_core")},
    **{(module, "_reconstructor"): _NewObject for module in ("copy_reg", "copyreg")},
    **{(module, name): _Base for module in ("__builtin__", "builtins") for name in ("object", "set")},
    **{(f"scipy.sparse.{module}", "csr_matrix"): _CompressedRows for module in ("csr", "_csr")},
    **{(f"scipy.sparse.{module}", "csc_matrix"): _CompressedColumns for module in ("csc", "_csc")},
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        """The inert class that stands for a name; nothing is imported and no attribute looked up."""
        known = _REPLACEMENTS.get((module_name, global_name))
        if known is not None:
            return known
        if module_name.split(".")[0] == "chumpy":
            return _Sealed(f"chumpy {global_name[:40]!r}", (_Inert,), {"__slots__": ()})
        raise pickle.UnpicklingError(f"it asks for {f'{module_name}.{global_name}'[:80]!r}")


def to_array(value: Any, nested: int = 0) -> np.ndarray:
    """What inert objects say, as an array of numbers. Raises ValueError, TypeError, KeyError where they say none."""
    if nested > _MAX_NESTED:
        raise ValueError(f"more than {_MAX_NESTED} arrays within one another")
    match value:
        case _Array(state=(*_, shape, dtype, is_fortran, content)):
            return _from_bytes(content, dtype, shape, "F" if is_fortran else "C")
        case _ArrayFromBuffer(arguments=(content, dtype, shape, order)):
            return _from_bytes(content, dtype, shape, "F" if order == "F" else "C")
        case _CompressedRows(state=dict(parts)):
            return _dense(sparse.csr_matrix, parts, nested + 1)
        case _CompressedColumns(state=dict(parts)):
            return _dense(sparse.csc_matrix, parts, nested + 1)
        case _Chumpy(state=dict(parts)):
            return to_array(parts["x"], nested + 1)
        case _ChumpySelect(state=dict(parts)):
            chosen = to_array(parts["a"], nested + 1).ravel()[to_array(parts["idxs"], nested + 1)]
            return chosen.reshape(_check_shape(parts["preferred_shape"]))
        case _Inert():
            raise ValueError(f"a {type(value).__name__.lstrip('_')} object cannot be turned into numbers")
        case list():
            return _from_numbers(value)
    raise TypeError(f"{type(value).__name__} instead of an array")


def _from_bytes(content: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    if isinstance(content, str):  # Python 2's bytes
        content = content.encode("latin1")
    kind, shape = _check_dtype(dtype), _check_shape(shape)
    if not isinstance(content, bytes | bytearray) or len(content) != prod(shape) * kind.itemsize:
        raise ValueError(f"its bytes are not {shape} numbers of type {kind}")
    native = np.frombuffer(content, kind).astype(kind.newbyteorder("="))  # a copy of its own
    return native.reshape(shape, order=order)


def _check_dtype(dtype: Any) -> np.dtype:
    match dtype:
        case _DType(arguments=(str(code), *_), state=(_, str(byte_order), None, None, None, *_)) if (
            code in _NUMBER_CODES and byte_order in "<>=|"
        ):
            return np.dtype(f"{byte_order}{code}")
    raise TypeError("its type is no plain number")


def _check_shape(shape: Any) -> tuple[int, ...]:
    is_plain = isinstance(shape, tuple) and all(type(n) is int and 0 <= n < 2**31 for n in shape)
    if not is_plain or len(shape) > 8 or prod(shape) > _MAX_NUMBERS:
        raise ValueError("its shape is not plausible")
    return shape


def _from_numbers(values: list) -> np.ndarray:
    if not all(type(value) in (int, float) for value in values):
        raise TypeError("a list of other things than numbers")
    return np.array(values)


def _dense(kind: Any, parts: dict, nested: int) -> np.ndarray:
    shape = _check_shape(parts["_shape"] if "_shape" in parts else parts["shape"])
    data, indices, indptr = (to_array(parts[name], nested) for name in ("data", "indices", "indptr"))
    matrix = kind((data, indices, indptr), shape=shape)
    matrix.check_format(full_check=True)
    return matrix.toarray()
