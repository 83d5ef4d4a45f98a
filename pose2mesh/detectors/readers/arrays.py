"""NPY and NPZ arrays of keypoints, read without ever unpickling and without trusting the header."""

import io
import math
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pose2mesh.detectors.readers.frame import Frame, number_array, to_keypoints
from pose2mesh.detectors.readers.json_file import LARGEST_FILE
from pose2mesh.errors import FormatError, InputError

_KEY = "keypoints"


def read_arrays(path: Path, joint_set: str | None) -> list[Frame]:
    """Frames of [J, 2|3], [P, J, 2|3] (one frame) or [T, P, J, 3] (named `{stem}_{t}`)."""
    try:
        with path.open("rb") as stream:
            size = path.stat().st_size
            array = _read_npz(stream, path) if path.suffix.lower() == ".npz" else _read_npy(stream, size, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    array = number_array(array, str(path))
    if array.ndim == 4:
        return [
            Frame(f"{path.stem}_{t:06d}", to_keypoints(people, f"{path}: frame {t}", joint_set))
            for t, people in enumerate(array)
        ]
    people = array[None] if array.ndim == 2 else array  # [P, J, 2 or 3]
    return [Frame(path.stem, to_keypoints(people, str(path), joint_set))]


def _read_npz(stream: BinaryIO, path: Path) -> np.ndarray:
    try:
        with zipfile.ZipFile(stream) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            if _KEY not in names:
                raise InputError(f"{path}: no array named {_KEY!r}; it holds {str(names[:8])[1:-1] or 'nothing'}")
            size = archive.getinfo(f"{_KEY}.npy").file_size
            if size > LARGEST_FILE:
                raise InputError(f"{path}: {size / 1e6:.0f} MB of keypoints; the limit is 512 MB, split the file")
            content = archive.read(f"{_KEY}.npy")
    except InputError:
        raise
    except Exception as error:  # zipfile leaks KeyError, RuntimeError, zlib.error, ... on damaged archives
        raise FormatError(f"{path}: not a complete NPZ file ({_one_line(error)})") from error
    return _read_npy(io.BytesIO(content), len(content), path)


def _read_npy(stream: BinaryIO, size: int, path: Path) -> np.ndarray:
    """An array whose header agrees with the file's `size`; a false one could ask for any amount of memory."""
    try:
        version = np.lib.format.read_magic(stream)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read_header is None:
            raise FormatError(f"{path}: NPY version {version} is not supported; save it again with numpy.save")
        shape, is_fortran, dtype = read_header(stream)
    except InputError:
        raise
    except Exception as error:  # numpy leaks SyntaxError, tokenize.TokenError, ... on damaged headers
        raise FormatError(f"{path}: not an NPY array ({_one_line(error)})") from error
    if dtype.kind not in "fiu":
        raise FormatError(f"{path}: keypoints must be numbers, found dtype {dtype}")
    if len(shape) > 4 or min(shape, default=1) < 1:
        raise FormatError(f"{path}: an array of shape {list(shape)[:8]} holds no keypoints")
    promised = math.prod(shape) * dtype.itemsize
    if promised > LARGEST_FILE or promised != size - stream.tell():
        raise FormatError(f"{path}: the header promises {promised} bytes of data, the file has {size - stream.tell()}")
    values = np.frombuffer(stream.read(promised), dtype)
    return values.reshape(shape, order="F" if is_fortran else "C")


def _one_line(error: Exception) -> str:
    """numpy explains itself in paragraphs."""
    return " ".join(str(error).split())[:80] or type(error).__name__
