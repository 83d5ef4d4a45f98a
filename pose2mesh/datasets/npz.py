"""Read arrays from an .npz file without ever unpickling, and say what is wrong with it."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pose2mesh.errors import FormatError, MissingFileError

_UNREADABLE = (
    *(ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error),  # damaged
    *(TypeError, AttributeError),  # a bare array, which is no archive
    *(NotImplementedError, RuntimeError),  # damage that looks like an unknown compression or a password
    *(MemoryError, OverflowError, SyntaxError),  # damage in the header of an array
)


def read_npz(path: Path, keys: Sequence[str]) -> dict[str, np.ndarray]:
    """The named arrays of an .npz file, never unpickled. Raises MissingFileError, FormatError."""
    if not path.is_file():
        raise MissingFileError(f"{path} not found; set POSE2MESH_DATA to the folder of the packs, or give another path")
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [key for key in keys if key not in archive.files]
            if not missing:
                return {key: archive[key] for key in keys}
    except _UNREADABLE as error:
        raise FormatError(f"{path}: not a readable .npz file ({error}); copy or download it again") from error
    raise FormatError(f"{path}: lacks {', '.join(missing)}; give the file in the format of docs/data.md")
