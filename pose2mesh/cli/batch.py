"""`pose2mesh batch`: a table of keypoints to a table of body parameters, on one core or a cluster."""

import sys
from pathlib import Path

from pose2mesh.cli.arguments import Parser, positive, shard_of_text
from pose2mesh.cli.console import say
from pose2mesh.errors import InputError


def run(arguments: list[str]) -> int:
    """Write the pieces that are missing, say how many rows; errors are raised."""
    parser = Parser(prog="pose2mesh batch", description="Body parameters of every row of a table of keypoints.")
    add = parser.add_argument
    add(
        "table",
        type=Path,
        metavar="TABLE.parquet",
        help="columns id, keypoints, joint_set, width, height (and focal, center where known); or id, path",
    )
    add(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT.parquet",
        help="a folder of Parquet files that reads as one table",
    )
    add("--engine", choices=("local", "ray"), default="local", help="this process (default), or actors of Ray")
    add("--shard", type=shard_of_text, metavar="I/N", help="local: the I-th of N parts, I from 0")
    add("--actors", type=positive, metavar="N", help="ray: processes (default: one for each processor)")
    add("--weights", metavar="NAME|PATH", help="shipped name or file (default: anny-body)")
    add("--batch-size", type=positive, metavar="N", help="rows the network sees at once")
    add("--overwrite", action="store_true", help="replace what is in OUT.parquet")
    options = parser.parse_args(arguments)
    if options.engine == "ray" and options.shard:
        raise InputError("--shard belongs to --engine local; Ray takes --actors N")
    if options.engine == "local" and options.actors:
        raise InputError("--actors belongs to --engine ray; the local engine takes --shard I/N")

    from tqdm import tqdm

    from pose2mesh.batch.files import FILE_COLUMNS
    from pose2mesh.batch.local import run_local
    from pose2mesh.batch.ray_engine import run_ray
    from pose2mesh.batch.recover import BATCH_SIZE, WEIGHTS
    from pose2mesh.batch.source import columns_of, open_parquet, table_files
    from pose2mesh.pipeline import Pose2Mesh

    weights, given = options.weights or WEIGHTS, (options.table, options.output)
    settings = {"overwrite": options.overwrite, "batch_size": options.batch_size or BATCH_SIZE}
    columns = columns_of(open_parquet(table_files(options.table)[0]).schema_arrow.names, str(options.table))
    what = "file" if columns == FILE_COLUMNS else "row"  # a file may be many rows
    with tqdm(unit=what, file=sys.stderr, disable=None, delay=1, leave=False) as bar:
        if options.engine == "ray":
            done = run_ray(*given, weights, actors=options.actors, report=bar.update, **settings)
        else:
            model = Pose2Mesh.from_pretrained(weights)
            done = run_local(*given, model, shard=options.shard or (0, 1), report=bar.update, **settings)
    kept = f", {done.kept} were done" if done.kept else ""
    say(f"{options.output}: {done.rows - done.errors} {what}s recovered, {done.errors} with an error{kept}", sys.stdout)
    return 0
