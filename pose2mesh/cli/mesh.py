"""`pose2mesh mesh`: rows that `pose2mesh batch` wrote to files with meshes, or joints and parameters alone."""

import sys
from pathlib import Path

from pose2mesh.cli.arguments import Parser
from pose2mesh.cli.console import say
from pose2mesh.cli.writing import FreeNames

_FORMATS = ("obj", "ply", "glb", "npz", "json")


def run(arguments: list[str]) -> int:
    """Write one file for each id; errors are raised."""
    parser = Parser(prog="pose2mesh mesh", description="Rows of body parameters as files of a person each.")
    parser.add_argument("table", type=Path, metavar="OUT.parquet", help="what `pose2mesh batch` wrote")
    parser.add_argument("--id", nargs="+", required=True, metavar="ID", help="rows, as the column id names them")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path(), metavar="FOLDER", help="where to write (default: here)"
    )
    parser.add_argument(
        "--format",
        choices=_FORMATS,
        default="obj",
        help="obj, ply, glb: the mesh; npz: mesh, joints, parameters; json: all but the mesh (default: obj)",
    )
    options = parser.parse_args(arguments)

    from pose2mesh.batch.meshes import people_of

    names = FreeNames(options.output)
    for identity, person in people_of(options.table, options.id):
        path = options.output / f"{names.take(identity)}.{options.format}"
        say(f"{identity}: {person.save(path)}", sys.stdout)
    return 0
