"""A table on disk as pieces of a few thousand rows, whose numbers follow from the footers alone."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pose2mesh.batch.files import FILE_COLUMNS
from pose2mesh.batch.recover import COLUMNS, check_columns, import_pyarrow
from pose2mesh.errors import FormatError, InputError

PIECE_ROWS = 4096  # some 5 s of one core: what a killed run repeats, and what lies in memory
PIECE_FILES = 16  # the same of a table of pictures


class Group(NamedTuple):
    """Pieces `first` to before `end`, of `size` rows each, are one row group of a file."""

    file: Path
    group: int
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


def plan(files: Sequence[Path]) -> list[Group]:
    """Row groups with the numbers of their pieces. Raises FormatError for other files, InputError for other columns."""
    groups, first = [], 0
    for file in files:
        source = open_parquet(file)
        columns = columns_of(source.schema_arrow.names, str(file))
        size = PIECE_FILES if columns == FILE_COLUMNS else PIECE_ROWS
        for group in range(source.num_row_groups):
            rows = source.metadata.row_group(group).num_rows
            end = first - (-rows // size)
            groups.append(Group(file, group, first, end, size, columns))
            first = end
    return groups


def columns_of(names: Sequence[str], where: str) -> tuple[str, ...]:
    """Which of the columns are read: of keypoints, or of files. Raises InputError where neither are there."""
    columns = FILE_COLUMNS if "path" in names and "keypoints" not in names else COLUMNS
    check_columns(names, where, columns)
    return columns


def read_pieces(groups: Sequence[Group], start: int, end: int, only_ids: bool = False) -> Iterator[tuple[int, Any]]:
    """Numbers and tables of the pieces from `start` to before `end`, one after another."""
    pa = import_pyarrow()
    for file, group, first, last, size, columns in groups:
        if first >= end or last <= start:
            continue
        source, wanted = open_parquet(file), ["id"] if only_ids else list(columns)
        stream = source.iter_batches(size, row_groups=[group], columns=wanted, use_threads=False)
        for piece, batch in zip(range(first, min(last, end)), stream, strict=False):
            if piece >= start:
                yield piece, pa.Table.from_batches([batch])


def check_ids(groups: Sequence[Group], start: int, end: int) -> None:
    """Raise InputError where an id of these pieces repeats: eight bytes a row are kept, not the ids."""
    known = np.zeros(0, np.int64)
    parts: list[np.ndarray] = []
    for _, table in read_pieces(groups, start, end, only_ids=True):
        ids = [x for x in table.column("id").to_pylist() if x is not None]
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
