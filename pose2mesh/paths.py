"""Where files are found and how they are written.

One search order for everything the package reads: explicit argument > environment variable > checkout > wheel >
user cache. All writes are atomic: a reader sees the old file or the new one, never half of it.
"""

import errno
import json
import math
import os
import re
import shutil
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from pose2mesh.errors import InputError, MachineError, MissingFileError

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parent
_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EFBIG}
_NAME_ERRORS = {errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ELOOP, errno.EINVAL}
_NAME_ERRORS |= {errno.EACCES, errno.EPERM}  # a place that is not ours
_HOST = f"{zlib.crc32(socket.gethostname().encode()):08x}"  # short and plain, whatever the machine is called
_TEMPORARY = re.compile(r"\.tmp\.([0-9a-f]{8})\.(\d+)\.\d+$")  # host, process, thread
_LONGEST_NAME = 200  # bytes of the name that a temporary name repeats; its ending fits into the 255 of file systems
_STALE_SECONDS = 24 * 3600  # a writer of another machine cannot be asked whether it lives
_swept: set[Path] = set()  # folders that this process has looked through


def _roots(folder: str) -> Iterator[Path]:
    """Candidate locations of a data folder (`assets` or `graphs`), best first."""
    from_environment = os.environ.get(f"POSE2MESH_{folder.upper()}")
    if from_environment:
        yield Path(from_environment)
    if (_CHECKOUT / "pyproject.toml").is_file():
        yield _CHECKOUT / folder
    yield _PACKAGE / folder
    yield cache_dir() / folder


def cache_dir() -> Path:
    """User cache (not created here): `POSE2MESH_CACHE`, else `XDG_CACHE_HOME/pose2mesh`, else `~/.cache/pose2mesh`."""
    explicit = os.environ.get("POSE2MESH_CACHE")
    if explicit:
        return Path(explicit)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "pose2mesh"


def find(folder: str, name: str) -> Path:
    """Locate a shipped data file, for example `find("assets", "weights/anny-body.safetensors")`.

    Raises MissingFileError naming every place that was searched.
    """
    searched = []
    for root in _roots(folder):
        candidate = root / name
        if candidate.is_file():
            return candidate
        searched.append(str(candidate))
    raise MissingFileError(f"{folder}/{name} not found; searched: {', '.join(searched)}. Reinstall the package.")


def asset(name: str) -> Path:
    """Locate a file under `assets/`."""
    return find("assets", name)


def here_or_shipped(path: str | os.PathLike) -> Path:
    """The path; where there is none and it begins with `assets/`, the shipped file, so that docs hold in any folder."""
    path = Path(path)
    if path.exists() or path.parts[:1] != ("assets",):
        return path
    shipped = (root / path.relative_to("assets") for root in _roots("assets"))
    return next((candidate for candidate in shipped if candidate.is_file()), path)


def graph(name: str) -> Path:
    """Locate a file under `graphs/`."""
    return find("graphs", name)


def data_dir() -> Path:
    """Folder of the motion packs: `POSE2MESH_DATA`, else `../shared/data` beside the checkout.

    Raises MissingFileError when neither exists; the package works without it, only training on real motion needs it.
    """
    explicit = os.environ.get("POSE2MESH_DATA")
    folder = Path(explicit) if explicit else _CHECKOUT.parent / "shared" / "data"
    if not folder.is_dir():
        raise MissingFileError(
            f"no motion packs at {folder}; set POSE2MESH_DATA to the folder that holds them (docs/data.md)"
        )
    return folder


@contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Open `path` for binary writing; the file appears under its name only when the block ends without an error.

    Temporary name in the same folder, hidden from what reads whole folders, fsync, rename. Parent folders are made;
    what killed writers left in the folder goes; a link stays one, its target is written. A full disk raises
    MachineError and leaves the previous file as it was; what exists and is no regular file (a folder, a device, a
    pipe) raises InputError and stays.
    """
    path = Path(os.path.realpath(path))
    temporary, stream = _begin(path)
    try:
        with stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.errno in _DISK_ERRORS:  # anything else was raised by the block, about another file
            raise explained(error, path) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: str | os.PathLike) -> None:
    """Raise the error of `atomic_write` where it could not begin, before the work whose result is to go there."""
    temporary, stream = _begin(Path(os.path.realpath(path)))
    stream.close()
    temporary.unlink()


def check_results_folder(folder: Path, where: str) -> None:
    """Raise InputError, beginning with `where`, for a place that can be no folder with results; nothing is made."""
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not (existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)):
        fault = "may not be written to" if existing.is_dir() else "is a file, not a folder"
        raise InputError(f"{where}: {existing} {fault}; name another")


def not_over(output: str | os.PathLike, *inputs: str | os.PathLike) -> None:
    """Raise InputError where an output, a file or a folder that is emptied, would take the place of an input."""
    place = Path(output).resolve()
    for given in inputs:
        source = Path(given).resolve()
        if place == source or (place.is_dir() and place in source.parents):
            raise InputError(f"{given}: would be lost by writing {output}; give another place")


def explained(error: OSError, path: str | os.PathLike) -> InputError | MachineError:
    """What an error of the system about a file to write means to the user: the name is wrong, or the machine failed."""
    if error.errno in _NAME_ERRORS:
        return InputError(f"cannot write {shown(path)}: {error.strerror}; give another place")
    folder = next(parent for parent in Path(path).absolute().parents if parent.exists())
    free = shutil.disk_usage(folder).free / 1e6
    return MachineError(f"cannot write {path}: {error.strerror} ({free:.0f} MB free); give another place or make room")


def write_with(path: str | os.PathLike, write: Callable[[BinaryIO], object]) -> None:
    """Atomically write what `write(stream)` produces."""
    with atomic_write(path) as stream:
        write(stream)


def write_bytes(path: str | os.PathLike, content: bytes | memoryview) -> None:
    """Atomically write a content."""
    write_with(path, lambda stream: stream.write(content))


def write_json(path: str | os.PathLike, value: Any, indent: int | None = 1) -> None:
    """Atomically write a value as JSON, with a newline at its end."""
    write_bytes(path, (json_text(value, indent) + "\n").encode())


def json_text(value: Any, indent: int | None = None) -> str:
    """A value as JSON, which knows no NaN and no infinity: null is what could not be measured."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def held(lock: Path, refusal: str) -> Iterator[None]:
    """Hold a lock file, which goes afterwards; that of a process that died holds nobody, and where locks are unknown
    nothing is held. Raises InputError with the `refusal` where somebody else holds it.
    """
    from filelock import FileLock, Timeout

    own = FileLock(lock, timeout=0)
    with suppress(OSError, RuntimeError):  # file systems without locks
        try:
            own.acquire()
        except Timeout as error:
            raise InputError(refusal) from error
    try:
        yield
    finally:
        with suppress(PermissionError):  # Windows, where it goes when it is released
            lock.unlink(missing_ok=True)
        own.release()


def _begin(path: Path) -> tuple[Path, BinaryIO]:
    """The temporary file beside `path` and its stream; parent folders are made."""
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if path.exists() and not path.is_file():
            raise FileExistsError(errno.EEXIST, "it is a device, pipe or socket, not a regular file")
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        start = os.fsencode(path.name)[:_LONGEST_NAME].decode(errors="ignore")
        temporary = path.with_name(f".{start}.tmp.{_HOST}.{os.getpid()}.{threading.get_ident()}")
        return temporary, temporary.open("wb")
    except OSError as error:
        raise explained(error, path) from error


def _sweep(folder: Path) -> None:
    """Remove the temporaries of dead writers, once a folder and process."""
    if folder in _swept:
        return
    _swept.add(folder)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            name = _TEMPORARY.search(entry.name)
            with suppress(OSError):  # another process sweeps as well
                if name and _is_stale(entry, name[1], int(name[2])):
                    Path(entry.path).unlink()


def _is_stale(entry: os.DirEntry, host: str, process: int) -> bool:
    if not entry.is_file(follow_symlinks=False):
        return False
    if time.time() - entry.stat().st_mtime > _STALE_SECONDS:
        return True
    if host != _HOST or os.name == "nt":  # there, asking a process (`os.kill`) would end it
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False  # it lives, as somebody else
    return False


def shown(path: str | os.PathLike) -> str:
    """A path in a message, its middle left out where it is long."""
    text = os.fspath(path)
    return text if len(text) <= 120 else f"{text[:80]}...{text[-30:]} ({len(text)} characters)"
