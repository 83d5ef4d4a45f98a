"""`pose2mesh build-kernels`: compile the C++ kernels of graph layers and drawing for this machine."""

from pose2mesh.cli.arguments import Parser
from pose2mesh.errors import MachineError


def run(arguments: list[str]) -> int:
    """Compile what is missing, into the package or, where that may not be written, the user's cache."""
    Parser(prog="pose2mesh build-kernels", description=__doc__).parse_args(arguments)

    from filelock import FileLock

    from pose2mesh.ops.native import folders
    from pose2mesh.ops.native.build import BuildError, build, find_compiler

    problem = "no folder"
    try:
        find_compiler()
    except BuildError as error:
        raise MachineError(f"{error}; install one, for example: apt-get install g++") from error
    package, _ = folders()
    for folder in folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / ".lock"):
                libraries = build(folder, removes_others=folder == package)  # versions share the user's cache
        except (BuildError, OSError) as error:
            problem = str(error)
            continue
        print(f"compiled kernels for {len(libraries)} instruction sets in {folder}")
        return 0
    raise MachineError(f"the kernels were not built: {problem}")
