"""Tables of people: rows a second and memory of `batch.recover`, each measured in processes of their own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from pose2mesh.batch.recover import COLUMNS, import_pyarrow, recover
from pose2mesh.benchmarks.memory import peak_of_process_mb
from pose2mesh.benchmarks.report import markdown
from pose2mesh.pipeline import Pose2Mesh

NETWORKS = ("anny-body", "anny-key2mesh")
BATCHES = (16, 64, 256)
_USUAL = 64
_SECONDS_OF_HOUR = 3600
_HEAD = (
    *("weights", "batch", "threads", "processes", "rows/s", "rows/s of CPU"),
    *("MB", "bytes a row", "core hours of 10^9"),
)


@dataclass(frozen=True)
class TableRow:
    """One setting. Rates are of all processes together."""

    weights: str
    batch: int
    threads: int  # of a process
    processes: int  # at once, on rows of their own
    rows_per_s: float  # by the clock on the wall, of the slowest
    rows_per_cpu_s: float  # by processor time: on a busy machine nearer to a quiet one
    peak_mb: float  # resident set of a process, most of all; 0 where the system does not tell
    row_bytes: float  # of results
    core_hours_of_1e9: float  # projected from rows_per_cpu_s


def measure_tables(batches: Sequence[int] = BATCHES, rows: int = 4096, cores: int | None = None) -> list[TableRow]:
    """Every batch size in one process of one thread, the usual one also with all `cores` as threads, as processes."""
    cores = cores or os.cpu_count() or 1
    settings = [(name, batch, 1, 1) for name in NETWORKS for batch in batches]
    if cores > 1:
        settings += [(name, _USUAL, *split) for name in NETWORKS for split in ((cores, 1), (1, cores))]
    return [_measure(*setting, rows) for setting in settings]


def table(rows: list[TableRow]) -> str:
    """Markdown."""
    cells = ([row.weights, *(f"{value:.0f}" for value in list(asdict(row).values())[1:])] for row in rows)
    return markdown(_HEAD, cells)


def _measure(weights: str, batch: int, threads: int, processes: int, rows: int) -> TableRow:
    """All processes load, wait for one another, then work at once."""
    request = json.dumps([weights, batch, threads, rows])
    command = [sys.executable, "-m", "pose2mesh.benchmarks.tables", request]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
    workers = [subprocess.Popen(command, **pipes) for _ in range(processes)]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()
    told = []
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        told.append(json.loads(worker.communicate()[0]))
    wall, processor, peak, size = np.array(told).T
    rate = processes * rows / processor.sum()
    hours = 1e9 / rate / _SECONDS_OF_HOUR
    return TableRow(
        *(weights, batch, threads, processes), *(processes * rows / wall.max(), rate, peak.max(), size.mean(), hours)
    )


def _work(weights: str, batch: int, threads: int, rows: int) -> tuple[float, float, float, float]:
    """Seconds on the wall and of the processor, MB at most, bytes of a row of results."""
    torch.set_num_threads(threads)
    model, people = Pose2Mesh.from_pretrained(weights), _people(rows)
    recover(people.slice(0, batch), model, batch)
    print("ready", flush=True)
    sys.stdin.readline()
    wall, processor = time.perf_counter(), time.process_time()
    found = recover(people, model, batch)
    times = time.perf_counter() - wall, time.process_time() - processor
    return *times, peak_of_process_mb(), found.nbytes / rows


def _people(count: int):
    """A table of COCO's joints somewhere in pictures of 640 x 480; the work does not depend on where."""
    pa = import_pyarrow()
    places = np.random.default_rng(0).uniform(100, 400, (count, 17, 2))
    points = np.concatenate([places, np.ones((count, 17, 1))], 2).reshape(count, -1).astype(np.float32)
    ids = [f"p{i}" for i in range(count)]
    return pa.table([ids, list(points), ["coco17"] * count, [640] * count, [480] * count], names=list(COLUMNS))


if __name__ == "__main__":
    print(json.dumps(_work(*json.loads(sys.argv[1]))))
