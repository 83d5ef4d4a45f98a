"""Compile the C++ kernels, once per instruction set. Standard library only: building a wheel runs this file alone.

The library has a plain C interface and needs nothing of torch to be compiled, so it serves every version of torch and
of Python. Its name holds a digest of the sources: a library of other sources is never taken.
"""

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
_FLAGS = ("-std=c++17", "-O3", "-fPIC", "-shared")
_AVX2 = ("-mavx2", "-mfma")
# What torch.backends.cpu.get_cpu_capability() calls them, the best one first.
LEVELS: dict[str, tuple[str, ...]] = {
    "AVX512": (*_AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512"),
    "AVX2": _AVX2,
    "DEFAULT": (),
}
_SECONDS = 120


class BuildError(Exception):
    """The kernels were not built; the message says why in one line."""


def library_name(level: str) -> str:
    """File name of the library for one instruction set, made of the sources as they are."""
    digest = hashlib.sha256(f"{sys.platform} {platform.machine()}".encode())  # a home may serve several machines
    for path in _files():
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return f"kernels-{level.lower()}-{digest.hexdigest()[:12]}.so"


def levels() -> list[str]:
    """The instruction sets that this kind of machine may have."""
    is_x86 = platform.machine().lower() in ("x86_64", "amd64")
    return list(LEVELS) if is_x86 else ["DEFAULT"]


def find_compiler() -> list[str]:
    """The command of a C++ compiler: the variable CXX, else c++, g++ or clang++. Raises BuildError."""
    if os.name == "nt":
        raise BuildError("there are no C++ kernels for Windows")
    asked = os.environ.get("CXX", "").strip()
    if asked:
        return shlex.split(asked)
    for name in ("c++", "g++", "clang++"):
        if path := shutil.which(name):
            return [path]
    raise BuildError("no C++ compiler found (c++, g++, clang++ or the variable CXX)")


def build(folder: Path, *, removes_others: bool = True) -> list[Path]:
    """Write the libraries into a folder, those that are not there yet, and remove those of other sources.

    Every file appears as a whole. Raises BuildError where there is no compiler, where it cannot compile the sources
    for the plainest machine, or where the folder cannot be written.
    """
    compiler = find_compiler()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        built = list(_build_all(compiler, folder))
        current = {path.name for path in built}
        for stale in folder.glob("kernels-*.so"):
            if removes_others and stale.name not in current:
                stale.unlink(missing_ok=True)
    except OSError as error:
        raise BuildError(f"{folder}: {error}") from error
    return built


def _build_all(compiler: list[str], folder: Path) -> Iterator[Path]:
    for level in levels():
        target = folder / library_name(level)
        try:
            if not target.is_file():
                _compile(compiler, LEVELS[level], target)
        except BuildError:
            if level == "DEFAULT":
                raise
            continue  # an old compiler that does not know the instructions
        yield target


def _compile(compiler: list[str], flags: tuple[str, ...], target: Path) -> None:
    handle, name = tempfile.mkstemp(prefix=".kernels-", suffix=".tmp", dir=target.parent)
    os.close(handle)
    sources = [str(path) for path in _files() if path.suffix == ".cpp"]
    try:
        command = [*compiler, *_FLAGS, *flags, *sources, "-o", name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
        if done.returncode:
            raise BuildError(f"{compiler[0]} failed: {' '.join(done.stderr.split())[:300]}")
        Path(name).chmod(0o755)
        Path(name).replace(target)
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"{compiler[0]} took more than {_SECONDS} s") from error
    finally:
        Path(name).unlink(missing_ok=True)


def _files() -> list[Path]:
    return sorted([*SOURCES.glob("*.h"), *SOURCES.glob("*.cpp")])


if __name__ == "__main__":
    print(*build(Path(sys.argv[1])), sep="\n")
