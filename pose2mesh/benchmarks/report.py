"""The result of a benchmark: rows, as JSON and as a table."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pose2mesh.paths import write_with

_COLUMNS = (
    ("network", "<24"),
    ("path", "<13"),
    ("pass", "<9"),
    ("batch", ">5"),
    ("ms", ">10"),
    ("samples/s", ">11"),
    ("peak MB", ">9"),
    ("× original", ">11"),
    ("÷ floor", ">9"),
)


@dataclass(frozen=True)
class Row:
    """One path of one network at one batch size; None where there is nothing to compare with or to measure."""

    network: str
    path: str
    direction: str  # forward | train; `pass` in the JSON
    batch: int
    ms: float  # median of one pass
    samples_per_s: float
    peak_mb: float | None  # memory that one pass adds to the loaded network
    ratio_to_original: float | None  # how many times faster than the classic network run the original way
    ratio_to_floor: float | None  # how many times slower than the dense products of the same pass alone

    def to_json(self) -> dict[str, Any]:
        return {"pass" if key == "direction" else key: value for key, value in asdict(self).items()}


@dataclass(frozen=True)
class Report:
    machine: dict[str, Any]
    rows: list[Row]

    def write_json(self, path: str | Path) -> None:
        document = {"machine": self.machine, "rows": [row.to_json() for row in self.rows]}
        content = (json.dumps(document, indent=1) + "\n").encode()
        write_with(path, lambda stream: stream.write(content))

    def table(self) -> str:
        """The machine on the first lines, then one line per row."""
        machine = "\n".join(f"{key:16s}{value}" for key, value in self.machine.items() if value not in ("", None))
        head = "".join(f"{name:{form}}" for name, form in _COLUMNS)
        return "\n".join([machine, "", head, *map(_line, self.rows)])


def _line(row: Row) -> str:
    cells = (
        row.network,
        row.path,
        row.direction,
        str(row.batch),
        f"{row.ms:.2f}",
        f"{row.samples_per_s:.1f}",
        _number(row.peak_mb, 0),
        _number(row.ratio_to_original, 1),
        _number(row.ratio_to_floor, 2),
    )
    return "".join(f"{cell:{form}}" for cell, (_, form) in zip(cells, _COLUMNS, strict=True))


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
