"""The engine of one process: pieces of the table in, files of a folder out, each whole or not there.

The folder reads as one table everywhere (pyarrow, pandas, Spark). A file tells what it was made from, so another run
computes only what is missing, whether the one before was killed, ran out of disk or finished.
"""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pose2mesh.batch.recover import BATCH_SIZE, COLUMNS, import_pyarrow, recover
from pose2mesh.batch.source import Group, check_ids, open_parquet, plan, read_pieces, table_files
from pose2mesh.errors import InputError
from pose2mesh.paths import check_writable, write_with
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
    groups = plan(table_files(table))
    total = max(1, groups[-1].end if groups else 0)
    start, end = (total * part // shard[1] for part in (shard[0], shard[0] + 1))
    _prepare(output, total, overwrite)
    check_ids(read_pieces(groups, start, end, ("id",)))
    digest, done = _digest_of(model), Done(0, 0, 0)
    for piece, rows in _pieces(table, groups, start, end):
        path = output / f"part-{piece:06d}-of-{total:06d}.parquet"
        made_from = _made_from(rows, digest)
        if path.exists() and not overwrite:
            if _told(path) != made_from:
                raise InputError(
                    f"{path}: made from other rows or by other weights; give --overwrite, or another output"
                )
            done = done._replace(kept=done.kept + len(rows))
        else:
            found = recover(rows, model, batch_size)
            _write(found, path, made_from)
            errors = len(rows) - found.column("error").null_count
            done = done._replace(rows=done.rows + len(rows), errors=done.errors + errors)
        report(len(rows))
    return done


def _pieces(table: Path, groups: list[Group], start: int, end: int):
    """As `read_pieces`; a table without rows is one piece, so that there is an output with its columns."""
    if groups and groups[-1].end:
        return read_pieces(groups, start, end)
    empty = open_parquet(table_files(table)[0]).schema_arrow.empty_table().select(list(COLUMNS))
    return [(0, empty)] if (start, end) == (0, 1) else []


def _prepare(output: Path, total: int, overwrite: bool) -> None:
    """An output folder that holds nothing, or pieces of a table of so many. Raises InputError, MachineError."""
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
    """Of the weights: results of others are not to be mixed."""
    found = hashlib.sha256()
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


def _told(path: Path) -> bytes | None:
    return (open_parquet(path).schema_arrow.metadata or {}).get(_MADE_FROM)


def _write(found: "pyarrow.Table", path: Path, made_from: bytes) -> None:
    import pyarrow.parquet as pq

    found = found.replace_schema_metadata({_MADE_FROM: made_from})
    write_with(path, lambda stream: pq.write_table(found, stream, compression="zstd", use_dictionary=False))
