"""Read arrays from an .npz file without ever unpickling, and say what is wrong with it."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pose2mesh.errors import FormatError, MissingFileError


def read_npz(path: Path, keys: Sequence[str]) -> dict[str, np.ndarray]:
    """The named arrays of an .npz file, never unpickled. Raises MissingFileError, FormatError."""
    if not path.is_file():
        raise MissingFileError(
            f"{path} not found; set POSE2MESH_DATA to the folder of the packs, or give another path"
        )
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [key for key in keys if key not in archive.files]
            if not missing:
                return {key: archive[key] for key in keys}
    except (ValueError, OSError, EOFError, KeyError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise FormatError(f"{path}: not a readable .npz file ({error}); copy or download it again") from error
    raise FormatError(
        f"{path}: lacks {', '.join(missing)}; it is not the file that was asked for, give the right one"
    )
