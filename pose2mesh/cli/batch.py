"""`pose2mesh batch`: a table of keypoints to a table of body parameters, on one core or a cluster."""

import sys
from pathlib import Path

from pose2mesh.cli.console import say
from pose2mesh.cli.predict import Parser, positive, shard_of_text
from pose2mesh.errors import InputError


def run(arguments: list[str]) -> int:
    """Write the pieces that are missing, say how many rows; errors are raised."""
    parser = Parser(prog="pose2mesh batch", description="Body parameters of every row of a table of keypoints.")
    add = parser.add_argument
    add("table", type=Path, metavar="TABLE.parquet", help="columns id, keypoints, joint_set, width, height")
    add("-o", "--output", type=Path, required=True, metavar="OUT.parquet", help="folder of Parquet files, one table")
    add("--engine", choices=("local", "ray"), default="local", help="this process (default), or Ray (experimental)")
    add("--shard", type=shard_of_text, default=(0, 1), metavar="I/N", help="local: the I-th of N parts, I from 0")
    add("--actors", type=positive, metavar="N", help="ray: processes (default: one for each processor but one)")
    add("--weights", metavar="NAME|PATH", help="shipped name or file (default: anny-key2mesh)")
    add("--batch-size", type=positive, metavar="N", help="rows that go through the network at once")
    add("--overwrite", action="store_true", help="local: replace what is in OUT.parquet")
    options = parser.parse_args(arguments)
    if options.engine == "ray" and (options.overwrite or options.shard != (0, 1)):
        raise InputError("--shard and --overwrite belong to --engine local")
    if options.engine == "local" and options.actors:
        raise InputError("--actors belongs to --engine ray; the local engine takes --shard I/N")

    from pose2mesh.batch.local import run_local
    from pose2mesh.batch.ray_engine import run_ray
    from pose2mesh.batch.recover import BATCH_SIZE, WEIGHTS
    from pose2mesh.pipeline import Pose2Mesh

    size, weights = options.batch_size or BATCH_SIZE, options.weights or WEIGHTS
    if options.engine == "ray":
        rows = run_ray(options.table, options.output, weights, actors=options.actors, batch_size=size)
        say(f"{options.output}: {rows} rows recovered", sys.stdout)
        return 0
    from tqdm import tqdm

    model = Pose2Mesh.from_pretrained(weights)
    with tqdm(unit="row", file=sys.stderr, disable=None, delay=1, leave=False) as bar:
        done = run_local(
            *(options.table, options.output, model),
            **{"shard": options.shard, "overwrite": options.overwrite, "batch_size": size, "report": bar.update},
        )
    kept = f", {done.kept} were done" if done.kept else ""
    say(f"{options.output}: {done.rows} rows recovered, {done.errors} with an error{kept}", sys.stdout)
    return 0
