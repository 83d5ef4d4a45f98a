"""`pose2mesh benchmark`: time the operators and networks on this machine, beside the original's way and a floor."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from pose2mesh.cli.arguments import Parser, positive
from pose2mesh.errors import InputError

_EPILOG = """paths: original (the published arithmetic as published), reference, cpu, cpu-torch (without compiled
kernels) or cuda (this package),
pyg (PyTorch Geometric); with --compile and --export also compile, onnxruntime and openvino.
photo: from one photo of 1000 pixels to pictures and files, stage by stage, on the wall and by processor time; from all
photos of a folder to overlay and GLB, by the number of people.
batch: rows a second of tables of people and memory, by batch size, threads and processes (--batch; --threads: cores).
All networks are compared with the classic one run the original way. The memory allocator counts at batch 8 and
above: GLIBC_TUNABLES is reported, state it with the numbers. Under torchrun all processes measure at once, and rows are
those of one process, the mean (gradients are not exchanged). On CUDA everything is measured unless a mode is named, in
float32, tf32 and bfloat16, with cuda-fused, a CUDA graph and torch.compile, beside the roofline."""


def run(arguments: list[str]) -> int:
    """Measure, print the table, write the JSON; errors are raised (see `pose2mesh.errors`)."""
    options = _parser().parse_args(arguments)

    import torch

    from pose2mesh.benchmarks import Settings, run_benchmark
    from pose2mesh.training.distributed import processes

    if options.device not in ("cpu", "cuda") and not options.device.startswith("cuda:"):
        raise InputError(f"--device {options.device}: choose cpu or cuda")
    if options.device != "cpu" and not torch.cuda.is_available():
        raise InputError(f"--device {options.device}: torch sees no CUDA device; see `pose2mesh doctor`")
    if options.cpu_time and options.threads != 1:
        raise InputError("--cpu-time adds up the time of all threads; give --threads 1 with it")
    if options.mode == "train" and options.batch and min(options.batch) < 2:
        raise InputError("--batch 1: the batch norms of training need at least two samples; give --batch 2 or more")
    if options.mode == "batch":
        return _tables(options)
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.mode == "photo":
        return _photo(options)
    is_cuda = options.device.startswith("cuda")
    settings = Settings(
        mode=options.mode or ("all" if is_cuda else "network"),
        batches=options.batch or _usual_batches(options.mode, options.quick, is_cuda),
        device=options.device,
        paths=options.paths,
        is_quick=options.quick,
        has_ablation=options.ablation or (is_cuda and not options.quick),
        has_compile=options.compile or (is_cuda and not options.quick),
        has_export=options.export,
        is_cpu_time=options.cpu_time,
    )
    with processes(torch.device(options.device)) as group:
        report = run_benchmark(settings, lambda line: print(line, file=sys.stderr) if group.is_first else None, group)
        if not group.is_first:
            return 0
        print(report.table())
        if options.json:
            report.write_json(options.json)
    return 0


def _photo(options: argparse.Namespace) -> int:
    if options.threads:
        os.environ["OMP_NUM_THREADS"] = str(options.threads)  # the detectors' networks and what draws read it
    from pose2mesh.benchmarks.photo import folder_table, measure_folder, measure_photo, table

    repeats = 1 if options.quick else 5
    if options.photo and options.photo.is_dir():
        rows = measure_folder(options.photo, options.detector, repeats)
        return _tell(folder_table(rows), rows, options.json)
    rows = measure_photo(options.photo, options.detector, repeats)
    return _tell(table(rows), rows, options.json)


def _tables(options: argparse.Namespace) -> int:
    from pose2mesh.benchmarks.tables import BATCHES, measure_tables, table

    rows = measure_tables(options.batch or BATCHES, 256 if options.quick else 4096, options.threads)
    return _tell(table(rows), rows, options.json)


def _tell(table: str, rows: list[Any], path: Path | None) -> int:
    """Print a table of rows, and write them where a path says; the exit code."""
    from pose2mesh.benchmarks.report import write_rows

    print(table)
    if path:
        write_rows(rows, path)
    return 0


def _parser() -> Parser:
    parser = Parser(prog="pose2mesh benchmark", description=__doc__, epilog=_EPILOG)
    parser.add_argument("mode", nargs="?", choices=("ops", "network", "train", "photo", "batch"))
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    parser.add_argument("--threads", type=positive, help="threads to compute with (default: each library's choice)")
    parser.add_argument(
        "--batch", type=_batches, metavar="N,...", help="batch sizes (default: 1,8; on CUDA also 64; train: 8,64)"
    )
    parser.add_argument(
        "--paths", type=lambda text: tuple(text.split(",")), default=(), metavar="NAME,...", help="only these paths"
    )
    parser.add_argument("--ablation", action="store_true", help="the paper's direct network as well: one level")
    parser.add_argument("--compile", action="store_true", help="torch.compile as well (a minute)")
    parser.add_argument("--export", action="store_true", help="ONNX Runtime and OpenVINO as well (a minute)")
    parser.add_argument("--quick", action="store_true", help="few runs, batch 1 (train: 2), memory not measured")
    parser.add_argument("--cpu-time", action="store_true", help="processor time, not wall time: for busy machines")
    parser.add_argument(
        "--photo", type=Path, metavar="FILE|FOLDER", help="photo: which (default: one of scikit-image's)"
    )
    parser.add_argument("--detector", default="auto", metavar="NAME", help="photo: which one finds the people")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the machine and all rows here (ms, MB)")
    return parser


def _usual_batches(mode: str | None, is_quick: bool, is_cuda: bool) -> tuple[int, ...]:
    if mode == "train":  # batch norms need two samples
        return (2,) if is_quick else (8, 64)
    if is_quick:
        return (1,)
    return (1, 8, 64) if is_cuda else (1, 8)


def _batches(text: str) -> tuple[int, ...]:
    return tuple(map(positive, text.split(",")))
