"""The result of a benchmark: rows, as JSON and as a table; on a GPU also the type of the numbers and the roofline."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, ClassVar

import torch

from pose2mesh.ops.machine import describe_machine
from pose2mesh.paths import write_json

# a column's name, its place, and how a row's value is written
Columns = tuple[tuple[str, str, Callable[[Any], str]], ...]


def number(attribute: str, digits: int) -> Callable[[Any], str]:
    """A row's number; a dash where it has none."""

    def cell(row: Any) -> str:
        value = getattr(row, attribute)
        return "-" if value is None else f"{value:.{digits}f}"

    return cell


_COLUMNS: Columns = (
    ("network", "<24", attrgetter("network")),
    ("path", "<13", attrgetter("path")),
    ("pass", "<9", attrgetter("direction")),
    ("batch", ">5", number("batch", 0)),
    ("ms", ">10", number("ms", 2)),
    ("samples/s", ">11", number("samples_per_s", 1)),
    ("peak MB", ">9", number("peak_mb", 0)),
    ("× original", ">11", number("ratio_to_original", 1)),
    ("÷ floor", ">9", number("ratio_to_floor", 2)),
)
_CUDA_COLUMNS: Columns = (
    ("network", "<22", attrgetter("network")),
    ("path", "<12", attrgetter("path")),
    ("dtype", "<6", attrgetter("dtype")),
    ("pass", "<9", attrgetter("direction")),
    ("batch", ">5", number("batch", 0)),
    ("ms", ">10", number("ms", 3)),
    ("samples/s", ">11", number("samples_per_s", 0)),
    ("peak MB", ">9", number("peak_mb", 0)),
    ("× original", ">11", number("ratio_to_original", 1)),
    ("roofline", ">10", number("roofline_ms", 4)),
    ("÷ roofline", ">11", number("ratio_to_roofline", 1)),
    ("÷ bytes", ">9", number("ratio_to_byte_bound", 1)),
    ("error", ">9", lambda row: f"{row.error:.0e}"),
)


@dataclass(frozen=True)
class Row:
    """One path of one network at one batch size; None where there is nothing to compare with or to measure."""

    columns: ClassVar[Columns] = _COLUMNS
    network: str
    path: str
    direction: str  # forward | train; `pass` in the JSON
    batch: int
    ms: float  # median of one pass
    samples_per_s: float  # of one process
    peak_mb: float | None  # memory that one pass adds to the loaded network
    ratio_to_original: float | None  # how many times faster than the classic network run the original way
    ratio_to_floor: float | None  # how many times slower than the dense products of the same pass alone

    def to_json(self) -> dict[str, Any]:
        return {"pass" if key == "direction" else key: value for key, value in asdict(self).items()}


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    lines = (head, ["---"] * len(head), *rows)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def write_rows(rows: Sequence[Any], path: Path) -> None:
    """Atomically write this machine and dataclass rows as JSON."""
    record = {"machine": describe_machine(torch.device("cpu")), "rows": [asdict(row) for row in rows]}
    write_json(path, record)


@dataclass(frozen=True)
class Report:
    machine: dict[str, Any]
    rows: Sequence[Row]  # all of one kind

    def write_json(self, path: str | Path) -> None:
        document = {"machine": self.machine, "rows": [row.to_json() for row in self.rows]}
        write_json(path, document)

    def table(self) -> str:
        """The machine on the first lines, then one line per row."""
        machine = "\n".join(f"{key:20s}{value}" for key, value in self.machine.items() if value not in ("", None))
        columns = self.rows[0].columns if self.rows else _COLUMNS
        head = "".join(f"{name:{form}}" for name, form, _ in columns)
        lines = ("".join(f"{cell(row):{form}}" for _, form, cell in columns) for row in self.rows)
        return "\n".join([machine, "", head, *lines])


@dataclass(frozen=True)
class CudaRow(Row):
    """Of a GPU. `ratio_to_original` is to the original way in float32, as torch computes by default."""

    columns: ClassVar[Columns] = _CUDA_COLUMNS
    dtype: str  # fp32 | tf32 | bf16
    error: float  # of the largest value, against the reference in fp32
    roofline_ms: float  # least time: each number moved once
    byte_bound_ms: float  # least time of the path that is not fused, which moves more
    ratio_to_roofline: float
    ratio_to_byte_bound: float
