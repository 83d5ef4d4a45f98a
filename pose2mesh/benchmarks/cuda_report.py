"""Rows and table of a benchmark on a GPU: the type of the numbers and the roofline stand beside each time."""

from dataclasses import dataclass

from pose2mesh.benchmarks.report import Report, Row

_COLUMNS = (
    ("network", "<22"),
    ("path", "<12"),
    ("dtype", "<6"),
    ("pass", "<9"),
    ("batch", ">5"),
    ("ms", ">10"),
    ("samples/s", ">11"),
    ("peak MB", ">9"),
    ("× original", ">11"),
    ("roofline", ">10"),
    ("÷ roofline", ">11"),
    ("÷ bytes", ">9"),
    ("error", ">9"),
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
    rows: list[CudaRow]  # type: ignore[assignment]

    def table(self) -> str:
        """The machine on the first lines, then one line per row."""
        machine = "\n".join(f"{key:20s}{value}" for key, value in self.machine.items() if value not in ("", None))
        head = "".join(f"{name:{form}}" for name, form in _COLUMNS)
        return "\n".join([machine, "", head, *map(_line, self.rows)])


def _line(row: CudaRow) -> str:
    cells = (
        row.network,
        row.path,
        row.dtype,
        row.direction,
        str(row.batch),
        f"{row.ms:.3f}",
        f"{row.samples_per_s:.0f}",
        "-" if row.peak_mb is None else f"{row.peak_mb:.0f}",
        "-" if row.ratio_to_original is None else f"{row.ratio_to_original:.1f}",
        f"{row.roofline_ms:.4f}",
        f"{row.ratio_to_roofline:.1f}",
        f"{row.ratio_to_byte_bound:.1f}",
        f"{row.error:.0e}",
    )
    return "".join(f"{cell:{form}}" for cell, (_, form) in zip(cells, _COLUMNS, strict=True))
