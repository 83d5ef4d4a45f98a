"""`pose2mesh COMMAND ...`: find the command, run it, turn errors into exit codes.

Commands are imported only when they are called, so `pose2mesh --help` loads neither torch nor numpy.
"""

import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec

from pose2mesh import __version__
from pose2mesh.errors import Pose2MeshError

# Name of the command and its one line of help; `build-graphs` lives in pose2mesh/cli/build_graphs.py.
COMMANDS = {
    "predict": "photos, videos or 2D keypoints to meshes",
    "view": "show a result in the browser",
    "demo": "recover the people of the sample photo and of a rendered scene",
    "train": "train a network from a config file",
    "test": "evaluate weights and print the table of errors",
    "adapt": "fit a network to your own 2D keypoints, without 3D labels",
    "build-graphs": "precompute the mesh hierarchy that the graph networks pool over",
    "build-motion": "your recordings (CMU's database, BVH, glTF) to a motion pack for training",
    "build-assets": "bake the free body model into assets/",
    "convert-model": "a licensed SMPL or MANO file to plain arrays, safely",
    "convert-checkpoint": "a published Pose2Mesh checkpoint to weights of this package",
    "export": "write a network as ONNX or as a torch.export program",
    "build-kernels": "compile the C++ kernels of the graph layers for this machine",
    "benchmark": "time the operators and networks on this machine",
    "doctor": "what is installed, found and usable here",
}

EXIT_OK = 0
EXIT_BUG = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns 0 done, 1 a bug, 2 bad input, 3 the machine, 130 interrupted."""
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
            "From a photo, a video or bare 2D keypoints to a clean 3D mesh of a human body.",
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
    except Exception:
        traceback.print_exc()
        return EXIT_BUG


def _fail(message: str, exit_code: int) -> int:
    """Print `message` on one line of stderr, so that logs of many runs stay readable."""
    print("pose2mesh: error:", " ".join(message.splitlines()), file=sys.stderr)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
