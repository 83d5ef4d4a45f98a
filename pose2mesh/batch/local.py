"""Pieces of a table in, files of a folder out, each whole or not there: the engine of one process.

The folder reads as one table everywhere (pyarrow, pandas, Spark). A file tells what it was made from, so another run
computes only what is missing, whether the one before was killed, ran out of disk or finished, and whichever engine
it was.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pose2mesh.batch.files import FILE_COLUMNS, recover_files
from pose2mesh.batch.recover import BATCH_SIZE, import_pyarrow, names_of, recover
from pose2mesh.batch.source import Run, check_ids, columns_of, open_parquet, plan, read_pieces, table_files
from pose2mesh.errors import InputError
from pose2mesh.paths import check_writable, not_over, write_with
from pose2mesh.pipeline import Pose2Mesh

if TYPE_CHECKING:
    import pyarrow

_NAME = re.compile(r"part-(\d+)-of-(\d+)\.parquet")
_MADE_FROM = b"pose2mesh.made_from"


class Done(NamedTuple):
    """Rows of a run."""

    rows: int  # recovered now
    errors: int  # of these with a reason in `error`
    kept: int  # found done

    def plus(self, other: "Done") -> "Done":
        return Done(*(a + b for a, b in zip(self, other, strict=True)))


class Job(NamedTuple):
    """A run without its model: the same in every process."""

    table: Path
    output: Path
    runs: list[Run]
    total: int  # pieces
    overwrite: bool
    batch_size: int


def run_local(
    table: Path,
    output: Path,
    model: Pose2Mesh,
    *,
    shard: tuple[int, int] = (0, 1),
    overwrite: bool = False,
    batch_size: int = BATCH_SIZE,
    report: Callable[[int], object] = lambda rows: None,
) -> Done:
    """Recover the rows of a table, or the `shard` (I, N) of them, into the folder `output`.

    Raises InputError for a table that cannot be used and an output of something else, unless `overwrite`;
    MachineError where the disk is full: what is done stays.
    """
    job = prepare(table, output, overwrite, batch_size)
    start, end = (job.total * part // shard[1] for part in (shard[0], shard[0] + 1))
    check_ids(job.runs, start, end)
    done = Done(0, 0, 0)
    for piece in run_pieces(job, model, start, end):
        done = done.plus(piece)
        report(piece.rows + piece.kept)
    return done


def prepare(table: Path, output: Path, overwrite: bool, batch_size: int) -> Job:
    """The job, and an output folder that holds nothing, or pieces of it. Raises InputError, MachineError."""
    files = table_files(table)
    not_over(output, *files)
    runs = plan(files)
    total = max(1, runs[-1].end)
    _prepare(output, total, overwrite)
    return Job(table, output, runs, total, overwrite, batch_size)


def run_pieces(job: Job, model: Pose2Mesh, start: int, end: int) -> Iterator[Done]:
    """Write the pieces from `start` to before `end`, those that are missing; rows in, one piece after another."""
    digest = _digest_of(model)
    for piece, rows in _pieces(job, start, end):
        path = job.output / f"part-{piece:06d}-of-{job.total:06d}.parquet"
        made_from = _made_from(rows, digest)
        if path.exists() and not job.overwrite:
            if (open_parquet(path).schema_arrow.metadata or {}).get(_MADE_FROM) != made_from:
                raise InputError(
                    f"{path}: made from other rows or by other weights; give --overwrite, or another output"
                )
            yield Done(0, 0, len(rows))
        else:
            is_files = tuple(rows.column_names) == FILE_COLUMNS
            found = (recover_files if is_files else recover)(rows, model, job.batch_size)
            _write(found, path, made_from)
            yield Done(len(rows), len(found) - found.column("error").null_count, 0)


def _pieces(job: Job, start: int, end: int) -> Iterator[tuple[int, "pyarrow.Table"]]:
    """As `read_pieces`; a table without rows is one piece, so that there is an output with its columns."""
    if job.runs[-1].end:
        yield from read_pieces(job.runs, start, end)
    elif (start, end) == (0, 1):
        schema = open_parquet(table_files(job.table)[0]).schema_arrow
        yield 0, schema.empty_table().select(list(columns_of(schema.names, str(job.table))))


def _prepare(output: Path, total: int, overwrite: bool) -> None:
    if output.exists() and not output.is_dir():
        if not overwrite:
            raise InputError(f"{output}: exists and is no folder of pieces; give --overwrite, or another output")
        output.unlink()
    for path in sorted(output.glob("[!._]*")) if output.exists() else ():
        name = _NAME.fullmatch(path.name)
        if name and int(name[2]) == total:
            continue
        if not (overwrite and path.suffix == ".parquet" and path.is_file()):
            raise InputError(f"{output}: holds {path.name}, of another table; give --overwrite, or another output")
        path.unlink()
    check_writable(output / "part")


def _digest_of(model: Pose2Mesh) -> bytes:
    """Of the weights and the columns' meaning: results of others are not to be mixed."""
    found = hashlib.sha256(json.dumps(names_of(model)).encode())
    for name, tensor in model.network.state_dict().items():  # pyright: ignore[reportAttributeAccessIssue]
        found.update(name.encode())
        found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.digest()


def _made_from(rows: "pyarrow.Table", digest: bytes) -> bytes:
    """What a piece follows from: its rows as they were read, and the weights."""
    pa = import_pyarrow()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return hashlib.sha256(digest + sink.getvalue()).hexdigest().encode()


def _write(found: "pyarrow.Table", path: Path, made_from: bytes) -> None:
    import pyarrow.parquet as pq

    found = found.replace_schema_metadata({**(found.schema.metadata or {}), _MADE_FROM: made_from})
    write_with(path, lambda stream: pq.write_table(found, stream, compression="zstd", use_dictionary=False))
