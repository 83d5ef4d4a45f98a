"""`pose2mesh table`: keypoint files to a table for `pose2mesh batch`."""

import sys
from pathlib import Path

from pose2mesh.cli.arguments import Parser
from pose2mesh.cli.console import say
from pose2mesh.errors import InputError


def run(arguments: list[str]) -> int:
    """Write the table, say how many rows; errors are raised."""
    parser = Parser(prog="pose2mesh table", description="One row for each person of keypoint files.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="keypoints as JSON, NPY, NPZ, YOLO's TXT")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="T.parquet", help="the table to write")
    parser.add_argument(
        "--joint-set", metavar="NAME", help="joint set of the keypoints (default: by their names or number)"
    )
    parser.add_argument("--image-size", metavar="WxH", help="size of the pictures in pixels, where files do not say")
    options = parser.parse_args(arguments)
    if options.output.suffix != ".parquet":
        raise InputError(f"-o {options.output}: a table is stored as .parquet")

    from pose2mesh.batch.keypoint_tables import write_keypoint_table
    from pose2mesh.detectors.intrinsics import parse_size

    size = None if options.image_size is None else parse_size(options.image_size)
    rows = write_keypoint_table(options.files, options.output, options.joint_set, size)
    say(f"{options.output}: {rows} rows", sys.stdout)
    return 0
