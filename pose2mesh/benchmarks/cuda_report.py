"""Rows and table of a benchmark on a GPU: the type of the numbers and the roofline stand beside each time."""

from dataclasses import dataclass
from operator import attrgetter
from typing import ClassVar

from pose2mesh.benchmarks.report import Columns, Report, Row, number

_COLUMNS: Columns = (
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
class CudaRow(Row):
    """`ratio_to_original` is to the original way in float32, as torch computes by default."""

    dtype: str  # fp32 | tf32 | bf16
    error: float  # of the largest value, against the reference in fp32
    roofline_ms: float  # least time: each number moved once
    byte_bound_ms: float  # least time of the path that is not fused, which moves more
    ratio_to_roofline: float
    ratio_to_byte_bound: float


@dataclass(frozen=True)
class CudaReport(Report):
    columns: ClassVar[Columns] = _COLUMNS
    rows: list[CudaRow]  # type: ignore[assignment]
