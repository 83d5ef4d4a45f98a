"""A table on disk as pieces of a few thousand rows, whose numbers follow from the footers alone."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pose2mesh.batch.files import FILE_COLUMNS
from pose2mesh.batch.recover import COLUMNS, check_columns, import_pyarrow
from pose2mesh.batch.rows import CAMERA
from pose2mesh.errors import FormatError, InputError

PIECE_ROWS = 4096  # some 5 s of one core: what a killed run repeats, and what lies in memory
PIECE_FILES = 16  # the same of a table of pictures


class Part(NamedTuple):
    """A file, and how many rows each of its row groups has."""

    file: Path
    rows: tuple[int, ...]


class Run(NamedTuple):
    """Files of the same columns, one after another: pieces `first` to before `end`, of `size` of their rows each."""

    parts: tuple[Part, ...]
    first: int
    end: int
    size: int
    columns: tuple[str, ...]


def table_files(table: Path) -> list[Path]:
    """The Parquet files of a table: one, or those of a folder. Raises InputError where there is none."""
    if table.is_dir():
        files = sorted(path for path in table.rglob("*.parquet") if not path.name.startswith((".", "_")))
        if not files:
            raise InputError(f"{table}: a folder without Parquet files; name a table")
        return files
    if not table.is_file():
        raise InputError(f"{table}: no such table; `pose2mesh table` makes one of keypoints, `batch` one of bodies")
    return [table]


def plan(files: Sequence[Path]) -> list[Run]:
    """Runs of files with the numbers of their pieces, which row groups and files of the same columns do not cut.

    Raises FormatError for other files, InputError for other columns.
    """
    runs, first = [], 0
    for schema, same in groupby(map(_part, files), key=itemgetter(0)):
        parts, columns = tuple(part for _, part in same), tuple(schema.names)
        size = PIECE_FILES if columns == FILE_COLUMNS else PIECE_ROWS
        end = first - (-sum(sum(part.rows) for part in parts) // size)
        runs.append(Run(parts, first, end, size, columns))
        first = end
    return runs


def _part(file: Path) -> tuple[Any, Part]:
    """The schema of the columns that are read, and the part."""
    pa = import_pyarrow()
    source = open_parquet(file)
    schema, footer = source.schema_arrow, source.metadata
    columns = columns_of(schema.names, str(file))
    rows = tuple(footer.row_group(group).num_rows for group in range(footer.num_row_groups))
    return pa.schema([schema.field(name) for name in columns]), Part(file, rows)


def columns_of(names: Sequence[str], where: str) -> tuple[str, ...]:
    """Which of the columns are read: of keypoints, or of files. Raises InputError where neither are there."""
    if "path" in names and "keypoints" not in names:
        return check_columns(names, where, FILE_COLUMNS)
    return check_columns(names, where, COLUMNS, CAMERA)


def read_pieces(runs: Sequence[Run], start: int, end: int, only_ids: bool = False) -> Iterator[tuple[int, Any]]:
    """Numbers and tables of the pieces from `start` to before `end`, one after another."""
    for run in runs:
        first, last = max(start, run.first), min(end, run.end)
        if first < last:
            batches = _batches(run, ["id"] if only_ids else list(run.columns), (first - run.first) * run.size)
            yield from zip(range(first, last), _cut(batches, run.size), strict=False)


def _batches(run: Run, columns: list[str], skip: int) -> Iterator[Any]:
    """The rows of a run but the first `skip`, never more than a piece at once."""
    for file, rows in run.parts:
        if skip >= sum(rows):
            skip -= sum(rows)
            continue
        source = open_parquet(file)
        for group, count in enumerate(rows):
            if skip >= count:
                skip -= count
                continue
            for batch in source.iter_batches(run.size, row_groups=[group], columns=columns, use_threads=False):
                yield batch.slice(skip)  # without rows where all are skipped
                skip = max(0, skip - len(batch))


def _cut(batches: Iterator[Any], size: int) -> Iterator[Any]:
    """Tables of `size` rows, the last of what is left, whose bytes do not tell how they were read."""
    pa = import_pyarrow()
    held, count = [], 0
    for batch in batches:
        while count + len(batch) >= size:
            yield pa.Table.from_batches([*held, batch.slice(0, size - count)]).combine_chunks()
            batch, held, count = batch.slice(size - count), [], 0
        if len(batch):
            held.append(batch)
            count += len(batch)
    if held:
        yield pa.Table.from_batches(held).combine_chunks()


def check_ids(runs: Sequence[Run], start: int, end: int) -> None:
    """Raise InputError where an id of these pieces repeats: eight bytes a row are kept, not the ids."""
    known = np.zeros(0, np.int64)
    parts: list[np.ndarray] = []
    for _, table in read_pieces(runs, start, end, only_ids=True):
        ids = [x for x in table.column("id").to_pylist() if x is not None and x == x]  # those have an error
        try:
            # Python's own hash takes -1 for -2
            hashes = np.array([hash(str(x) if isinstance(x, int) else x) for x in ids], np.int64)
        except TypeError as error:
            raise InputError(f"ids are of type {table.schema.field('id').type}; give numbers or text") from error
        parts.append(hashes)
        if len(parts) < 256:
            continue
        known, parts = np.concatenate([known, *parts]), []
    known = np.sort(np.concatenate([known, *parts]))
    if (known[1:] == known[:-1]).any():
        count = int((known[1:] == known[:-1]).sum())
        raise InputError(f"{count} of {len(known)} ids are repeated; every row needs an id of its own")


def open_parquet(file: Path) -> Any:
    """Raises FormatError for what is no Parquet file."""
    pa = import_pyarrow()
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise FormatError(f"{file}: no Parquet file ({str(error).splitlines()[0]:.120})") from error
