"""Load JSON that was written by somebody else."""

import json
from pathlib import Path
from typing import Any

from pose2mesh.errors import FormatError, InputError

LARGEST_FILE = 512 * 1024 * 1024  # bytes; a day of video at one person per frame stays below


def load_json(path: Path) -> Any:
    """Parse a JSON file. FormatError when it is truncated, not UTF-8, too deep, or holds NaN/Infinity."""
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise InputError(f"{path}: {size / 1e6:.0f} MB of JSON; the limit is 512 MB, split the file")
        return json.loads(path.read_bytes(), parse_constant=lambda word: _refuse_constant(path, word))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except RecursionError as error:
        raise FormatError(f"{path}: nested too deeply to be a keypoint file") from error
    except ValueError as error:  # JSONDecodeError, UnicodeDecodeError, an integer of too many digits
        raise FormatError(f"{path}: not valid JSON, perhaps truncated ({error})") from error


def _refuse_constant(path: Path, word: str) -> None:
    raise FormatError(f"{path}: holds {word}, which JSON does not allow; write missing joints with confidence 0")
