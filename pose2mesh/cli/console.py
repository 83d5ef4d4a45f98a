"""What the commands say: any text on any terminal, lines that stay whole beside a progress bar, pipes that close."""

import logging
import os
import sys
from typing import TextIO

_warned: set[str] = set()  # by this command
TERMINATED = 143  # exit code: 128 + SIGTERM, as shells report it


def prepare() -> None:
    """Let text that the terminal's encoding lacks (a file's name, say) appear escaped; warnings are one line."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not what tests put in its place
            stream.reconfigure(errors="backslashreplace")  # pyright: ignore[reportAttributeAccessIssue]
    log = logging.getLogger("pose2mesh")
    if not log.handlers:
        log.addHandler(_Lines())
    _warned.clear()


def say(text: str, stream: TextIO) -> None:
    """Print one line. Once nobody reads (`| head`), lines go nowhere and the work goes on."""
    from tqdm import tqdm

    try:
        tqdm.write(text, stream)
        stream.flush()
    except BrokenPipeError:
        silence(stream)


def finish(stream: TextIO) -> OSError | None:
    """Send out what waits in a stream; where that fails, returns why and lets the interpreter's last try succeed."""
    try:
        stream.flush()
    except OSError as error:
        silence(stream)
        return error
    return None


def silence(stream: TextIO) -> None:
    """Send what follows to nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


class _Lines(logging.Handler):
    """Warnings of the package as lines like its errors, each once: videos, for one, are read twice."""

    def emit(self, record: logging.LogRecord) -> None:
        line = f"pose2mesh: {record.levelname.lower()}: {' '.join(record.getMessage().splitlines())}"
        if line not in _warned:
            _warned.add(line)
            say(line, sys.stderr)
