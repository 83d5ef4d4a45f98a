"""The one place that opens torch's own files (`.pt`, `.pth.tar`): tensors and plain values, and nothing ever runs.

`weights_only` keeps code from running, but its unpickler overruns the stack on deep values, and compressed members of a
small file can claim any amount of memory. Both show beforehand.
"""

import zipfile
from pathlib import Path
from typing import Any

import torch

from pose2mesh.body_models.pickle_scan import check_opcodes

_PERSISTENT = ("BINPERSID",)  # how torch names the bytes of a tensor
_LARGEST_PICKLE = 64 * 2**20  # bytes, of names and shapes alone
_OLD_PICKLES = 5  # magic number, protocol, system, the values, the names of their storages; bytes follow


def load_tensors(path: str | Path) -> Any:
    """What a file of `torch.save` holds, on the CPU. Raises nearly anything for a file that is damaged or hostile."""
    path = Path(path)
    if zipfile.is_zipfile(path):
        _check_zip(path)
    else:
        with path.open("rb") as stream:
            for _ in range(_OLD_PICKLES):
                check_opcodes(stream, _PERSISTENT)
    return torch.load(path, map_location="cpu", weights_only=True)


def _check_zip(path: Path) -> None:
    """Raise ValueError unless all members are stored as they are and the pickles among them are shallow."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED or member.file_size > path.stat().st_size:
                raise ValueError(f"{member.filename[:80]!r} is compressed, which torch never does")
            if member.filename.endswith(".pkl"):
                if member.file_size > _LARGEST_PICKLE:
                    raise ValueError(f"{member.filename[:80]!r} is too large")
                check_opcodes(archive.read(member), _PERSISTENT)
