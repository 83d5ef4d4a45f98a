"""`pose2mesh COMMAND ...`: find the command, run it, turn errors into exit codes.

Commands are imported only when they are called, so `pose2mesh --help` loads neither torch nor numpy.
"""

import re
import sys
import traceback
from collections.abc import Sequence
from errno import EACCES, EDQUOT, EFBIG, EIO, ELOOP, ENAMETOOLONG, ENOMEM, ENOSPC, EPERM, EROFS
from importlib import import_module
from importlib.util import find_spec

from pose2mesh import __version__
from pose2mesh.cli import console
from pose2mesh.errors import InputError, MachineError, Pose2MeshError

# Name of the command and its one line of help; `build-graphs` lives in pose2mesh/cli/build_graphs.py.
COMMANDS = {
    "predict": "photos, videos or 2D keypoints to meshes",
    "view": "show a result in the browser",
    "live": "a camera, or a video at its speed: the overlay in a window or a page, avatars by VMC",
    "demo": "recover the people of a sample photo, a drawn scene and a drawn walk",
    "table": "keypoint files to a table",
    "batch": "a table of keypoints to a table of body parameters, of any length",
    "mesh": "rows of such a table to meshes, or to JSON without them",
    "train": "train a network from a config file",
    "test": "evaluate weights and print the table of errors",
    "adapt": "fit a network to your own 2D keypoints, without 3D labels",
    "build-graphs": "precompute the mesh hierarchy that the graph networks pool over",
    "build-motion": "your recordings (CMU's database, BVH, glTF) to a motion pack for training",
    "convert-model": "a licensed SMPL or MANO file to plain arrays, safely",
    "convert-checkpoint": "a published Pose2Mesh checkpoint to weights of this package",
    "export": "write a network as ONNX or as a torch.export program",
    "build-kernels": "compile the C++ kernels of graph layers and drawing for this machine",
    "benchmark": "time the operators and networks on this machine",
    "doctor": "what is installed, found and usable here",
}

_NO_MEMORY = re.compile("not enough memory|allocate memory|out of memory", re.IGNORECASE)  # torch's words
EXIT_OK = 0
EXIT_BUG = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
EXIT_UNREAD = 141  # 128 + SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns 0 done, 1 a bug, 2 bad input, 3 the machine, 130 interrupted.

    141 when nobody reads what it prints and it had more to say (`| head`), as shells report it of other programs.
    """
    console.prepare()
    code = _main(argv)
    unsaid = console.finish(sys.stdout)
    if unsaid is None or isinstance(unsaid, BrokenPipeError):  # the work is done
        return code
    return _fail(f"standard output: {unsaid.strerror}; make room or give another place", MachineError.exit_code)


def _main(argv: Sequence[str] | None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments[0] if arguments else None
    if name in ("-h", "--help"):
        print(usage())
        return EXIT_OK
    if name == "--version":
        print(f"pose2mesh {__version__}")
        return EXIT_OK
    if name is None:
        print(usage(), file=sys.stderr)
        return EXIT_USAGE
    if name not in available_commands():
        return _fail(f"unknown command {name!r}; known: {', '.join(available_commands())}", EXIT_USAGE)
    if "" in arguments:  # as a path it would be the working folder
        return _fail(f"{name}: an empty argument; is a variable of the shell not set?", EXIT_USAGE)
    return _run(name, arguments[1:])


def available_commands() -> dict[str, str]:
    """The commands whose module is part of this installation, with their help."""
    return {name: text for name, text in COMMANDS.items() if find_spec(_module_name(name))}


def usage() -> str:
    """The text of `pose2mesh --help`."""
    lines = [f"  {name:<20}{text}" for name, text in available_commands().items()]
    return "\n".join(
        [
            "usage: pose2mesh COMMAND [options]",
            "",
            "From a photo, a video or bare 2D keypoints to a clean 3D mesh of a human body or hand.",
            "",
            "commands:",
            *lines,
            "",
            "`pose2mesh COMMAND --help` explains one command; `pose2mesh --version` prints the version.",
        ]
    )


def _module_name(command: str) -> str:
    return f"pose2mesh.cli.{command.replace('-', '_')}"


def _run(name: str, arguments: list[str]) -> int:
    try:
        return import_module(_module_name(name)).run(arguments)
    except Pose2MeshError as error:
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail("interrupted", EXIT_INTERRUPTED)
    except Exception as error:
        if isinstance(error, BrokenPipeError) and console.finish(sys.stdout):
            return EXIT_UNREAD
        known = _of_the_machine(error)
        if known is not None:
            return _fail(str(known), known.exit_code)
        traceback.print_exc()
        return EXIT_BUG


def _of_the_machine(error: Exception) -> Pose2MeshError | None:
    """What the system's own errors mean that no part of the program explained better; None for the others."""
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error))):
        return MachineError(f"out of memory ({str(error).partition(chr(10))[0][:200] or 'MemoryError'}); give it less")
    if isinstance(error, OSError) and error.errno == ENAMETOOLONG:
        return InputError(f"a file's name is too long ({len(str(error.filename))} characters); give a shorter one")
    if isinstance(error, OSError) and error.filename and error.errno in (EACCES, EPERM, ELOOP):
        return InputError(f"{error.filename}: {error.strerror}; give another place, or the right to it")
    if isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT, EROFS, EIO, EFBIG, ENOMEM):
        return MachineError(f"{error.filename or 'output'}: {error.strerror}; make room or give another place")
    return None


def _fail(message: str, exit_code: int) -> int:
    """Print `message` on one line of stderr, so that logs of many runs stay readable."""
    print("pose2mesh: error:", " ".join(message.splitlines()), file=sys.stderr)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
