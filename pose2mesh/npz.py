"""Arrays on disk. Files to read may be anybody's: nothing is unpickled, nothing huge allocated."""

import io
import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np

from pose2mesh.errors import FormatError, MissingFileError
from pose2mesh.paths import atomic_write

MAX_BYTES = 4 << 30  # of all arrays together; a thousand people of the default body are 0.2 GB
SMALL_BYTES = 32 << 20  # what any file may hold
# Times the size of the file; meshes inflate 5 times, and zeros, with which to fill memory, 1000 times.
MOST_INFLATED = 32
# What zipfile and numpy raise on files that were cut or altered (found by altering files at random).
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError, SyntaxError),
    *(ValueError, KeyError, TypeError, EOFError, OSError, RuntimeError, OverflowError, MemoryError),
)
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # those that numpy writes
_KINDS = "biufUS"  # truth values, integers, floating-point numbers, text, and text as bytes (h5py, pandas)
_WORDS = {"b": "truth values", "iu": "whole numbers", "f": "floating-point numbers", "fiu": "numbers", "U": "text"}
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_arrays(
    source: Path | bytes,
    required: Sequence[str] = (),
    *,
    wanted: Sequence[str] = (),
    remedy: str = "",
    limit: int | None = None,
) -> dict[str, np.ndarray]:
    """All arrays of numbers or text in an NPZ file, or in its content, by name.

    Bytes come as text. Other values (Python objects) are refused under a name in `required`, or in `wanted`, which may
    be missing, and left out elsewhere. `remedy` ends each message. Raises MissingFileError without the file,
    FormatError when it is truncated, damaged, no NPZ file, larger than `limit` (`MAX_BYTES`), inflates like no real
    data, or lacks a required array.
    """
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    with _explained(source, "NPZ", remedy), zipfile.ZipFile(stream) as archive:
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        limit = min(limit or MAX_BYTES, max(SMALL_BYTES, MOST_INFLATED * size))
        return _read_members(archive, required, wanted, limit)


def read_array(path: Path, *, remedy: str = "") -> np.ndarray:
    """The array of numbers or text in an NPY file; errors as in `read_arrays`."""
    with _explained(path, "NPY", remedy):
        return _read_values(lambda: path.open("rb"), path.stat().st_size, "the array")


def write_arrays(path: str | os.PathLike, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a compressed NPZ file atomically; the same arrays give the same bytes, since NumPy dates them all 1980."""
    with atomic_write(path) as stream:
        np.savez_compressed(stream, **arrays)  # pyright: ignore[reportArgumentType]


def write_long_array(
    path: str | os.PathLike, name: str, shape: tuple[int, ...], parts: Iterable[np.ndarray], **others: np.ndarray
) -> None:
    """As `write_arrays`, of `others` and one array whose rows come in parts, so that it never lies in memory whole.

    Shapes: parts [n_i, ...] float32, which make up `shape` [N, ...].
    """
    with atomic_write(path) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(member, header)
            for part in parts:
                member.write(np.ascontiguousarray(part, "<f4").data)
        for other, array in others.items():
            with archive.open(f"{other}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def check_shapes(
    arrays: Mapping[str, np.ndarray], expected: Mapping[str, tuple[str, str]], where: str, **lengths: int
) -> dict[str, int]:
    """Raise FormatError unless each array has its kinds of numbers and its axes: digits, or letters that agree.

    `where` begins the message, `lengths` are those known of letters. Returns the lengths of all letters.
    """
    found = {"2": 2, "3": 3, "4": 4, **lengths}
    for name, (kinds, axes) in expected.items():
        array = arrays[name]
        fits = array.dtype.kind in kinds and array.ndim == len(axes)
        if not fits or any(found.setdefault(axis, n) != n for axis, n in zip(axes, array.shape, strict=True)):
            wanted = ", ".join(str(lengths.get(axis, axis)) for axis in axes)
            kind = "" if array.dtype.kind in kinds else _WORDS.get(kinds, "other values") + " "
            raise FormatError(f"{where}{name} is {array.dtype} {list(array.shape)}; expected {kind}[{wanted}]")
    return found


@contextmanager
def _explained(source: Path | bytes, kind: str, remedy: str) -> Iterator[None]:
    """Put the file's name before and the remedy behind whatever goes wrong inside."""
    where, end = "the content" if isinstance(source, bytes) else str(source), f"; {remedy}" if remedy else ""
    if isinstance(source, Path) and not source.is_file():
        raise MissingFileError(f"{source} not found{end}")
    try:
        yield
    except FormatError as error:
        raise FormatError(f"{where}: {error}{end}") from error
    except PermissionError as error:
        raise FormatError(f"{where} cannot be read: {error.strerror}{end}") from error
    except _DAMAGE as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__  # numpy explains itself in paragraphs
        raise FormatError(f"{where} is damaged or no {kind} file: {reason}{end}") from error


def _read_members(
    archive: zipfile.ZipFile, required: Sequence[str], wanted: Sequence[str], limit: int
) -> dict[str, np.ndarray]:
    members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
    if missing := [name for name in required if name not in members]:
        raise FormatError(f"lacks {', '.join(missing)}; it holds {', '.join(list(members)[:8]) or 'nothing'}")
    total = sum(member.file_size for member in members.values())
    if total > limit:
        raise FormatError(f"the arrays take {total / 1e6:.0f} MB; at most {limit / 1e6:.0f} MB are read")
    arrays = {}
    for name, member in members.items():
        if member.compress_type not in _COMPRESSIONS:
            raise FormatError(f"{name} has the unknown compression {member.compress_type}")
        try:
            arrays[name] = _read_values(partial(archive.open, member), member.file_size, name)
        except _NotPlainError:
            if name in required or name in wanted:
                raise
    return arrays


class _NotPlainError(FormatError):
    """The array holds neither numbers nor text."""


def _read_values(start: Callable[[], IO[bytes]], size: int, name: str) -> np.ndarray:
    """Check the header of the `size` bytes that `start` opens, then read them from the beginning."""
    with start() as stream:
        _check_header(stream, size, name)
    with start() as stream:
        array = np.lib.format.read_array(stream, allow_pickle=False)
        if stream.read(1):
            raise FormatError(f"{name} holds more bytes than its header says")
    try:
        return array.astype(str) if array.dtype.kind == "S" else array
    except UnicodeDecodeError as error:
        raise _NotPlainError(f"{name} holds bytes beyond ASCII; write it as text") from error


def _check_header(stream: IO[bytes], size: int, name: str) -> None:
    """Raise FormatError unless the header announces plain values that take no more than `size` bytes."""
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise FormatError(f"{name} has the unknown array format {version}")
    shape, _, dtype = _HEADERS[version](stream)
    if dtype.kind not in _KINDS:
        raise _NotPlainError(f"{name} holds {dtype} values; only numbers and text are read")
    if min(shape, default=0) < 0 or math.prod(shape) * max(1, dtype.itemsize) > size:
        raise FormatError(f"{name} announces shape {list(shape)} but has only {size} bytes")
