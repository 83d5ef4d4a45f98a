"""Errors that a user can act on. Each message names what is wrong, where, and the remedy."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class Pose2MeshError(Exception):
    """Base of all errors that this package raises on purpose. `exit_code` is what the command returns."""

    exit_code = 1


class InputError(Pose2MeshError):
    """The input is malformed, missing or contradictory (exit code 2)."""

    exit_code = 2


class FormatError(InputError):
    """A file is truncated, foreign or damaged (exit code 2)."""


class MissingFileError(InputError):
    """A file that the user has to provide, such as a licensed body model, was not found (exit code 2)."""


class MissingDependencyError(InputError):
    """An optional package or system library is not installed (exit code 2)."""


class NoPersonFoundError(InputError):
    """The detector found nobody in the picture (exit code 2)."""


class MachineError(Pose2MeshError):
    """The machine failed: disk full, out of memory (exit code 3)."""

    exit_code = 3


def warn(message: str) -> None:
    """A warning of the logger `pose2mesh`; commands show it as a line like an error."""
    logging.getLogger("pose2mesh").warning("%s", message)


@contextmanager
def optional_import(message: str) -> Iterator[None]:
    """A block that imports packages of an extra; without them MissingDependencyError says `message`."""
    try:
        yield
    except ImportError as error:
        raise MissingDependencyError(message) from error


@contextmanager
def nobody_named(source: object) -> Iterator[None]:
    """A block whose NoPersonFoundError is told with the file or folder that shows nobody."""
    try:
        yield
    except NoPersonFoundError as error:
        raise NoPersonFoundError(f"{source}: {error}") from error
