"""What the timing studies share: their options, and the machine beside the rows in JSON."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from pose2mesh.benchmarks.report import write_rows


def options_of(description: str | None, arguments: Sequence[str] | None, **more: str) -> argparse.Namespace:
    """`--quick`, `--cpu-time`, `--json OUT`, and `more` options with their defaults."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="few samples")
    parser.add_argument("--cpu-time", action="store_true", help="processor time, not wall time: for busy machines")
    parser.add_argument("--threads", type=int, default=0, help="threads of torch (0: its own choice)")
    parser.add_argument("--json", type=Path, metavar="OUT")
    for name, default in more.items():
        parser.add_argument(f"--{name}", default=default)
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    return options


def report(table: str, rows: Sequence[Any], options: argparse.Namespace) -> int:
    """Print the table, and write the dataclass rows with their machine where `--json` says; the exit code."""
    print(table)
    if options.json:
        write_rows(rows, options.json)
    return 0
