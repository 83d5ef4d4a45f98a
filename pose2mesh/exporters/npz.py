"""Read the arrays of an NPZ file that anybody may have written: no unpickling, no huge allocation."""

import math
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from pose2mesh.errors import FormatError, MissingFileError

MAX_BYTES = 4 << 30  # of all arrays together; a thousand people of the default body are 0.2 GB
# What zipfile and numpy raise on files that were cut or altered (found by altering files at random).
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,
    ValueError,
    EOFError,
    OSError,
    RuntimeError,
)
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # those that numpy writes
_KINDS = "biufU"  # truth values, integers, floating-point numbers, text
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an NPZ file by name.

    Raises MissingFileError without the file, FormatError when it is truncated, damaged, no NPZ file, or holds
    Python objects or more than `MAX_BYTES`.
    """
    if not path.is_file():
        raise MissingFileError(f"{path} not found")
    try:
        with zipfile.ZipFile(path) as archive:
            return _read_members(archive)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error
    except _DAMAGE as error:
        raise FormatError(f"{path} is damaged or no NPZ file: {error}") from error


def _read_members(archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
    members = archive.infolist()
    total = sum(member.file_size for member in members)
    if total > MAX_BYTES:
        raise FormatError(f"the arrays take {total / 1e9:.1f} GB; at most {MAX_BYTES / 1e9:.1f} GB are read")
    arrays = {}
    for member in members:
        name = member.filename.removesuffix(".npy")
        if member.compress_type not in _COMPRESSIONS:
            raise FormatError(f"{name} has the unknown compression {member.compress_type}")
        with archive.open(member) as stream:
            _check_header(stream, member.file_size, name)
        with archive.open(member) as stream:
            arrays[name] = np.lib.format.read_array(stream, allow_pickle=False)
            if stream.read(1):
                raise FormatError(f"{name} holds more bytes than its header says")
    return arrays


def _check_header(stream: IO[bytes], size: int, name: str) -> None:
    """Raise FormatError unless the header announces plain values and no more bytes than the member holds."""
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise FormatError(f"{name} has the unknown array format {version}")
    shape, _, dtype = _HEADERS[version](stream)
    if dtype.kind not in _KINDS:
        raise FormatError(f"{name} holds {dtype} values; only numbers and text are read")
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize > size:
        raise FormatError(f"{name} announces shape {list(shape)} but has only {size} bytes")
