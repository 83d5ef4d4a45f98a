"""`pose2mesh test`: measure weights by the mocap protocol, print the table, write the metrics."""

import argparse
import json
from pathlib import Path
from typing import Any

COLUMNS = ("pa_mpjpe", "mpjpe", "pa_mpvpe", "mpvpe")


def run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="pose2mesh test", description=__doc__)
    parser.add_argument("--config", required=True, help="YAML file, for example assets/configs/test_mocap.yaml")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the metrics (millimetres) here")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="for example data.motion=FILE")
    options = parser.parse_args(arguments)

    from pose2mesh.body_models import load_anny_body
    from pose2mesh.checkpoints import load_network
    from pose2mesh.datasets.mocap import MocapProtocol
    from pose2mesh.paths import write_with
    from pose2mesh.training.config import TestConfig, load_config
    from pose2mesh.training.distributed import pick_device
    from pose2mesh.training.evaluator import evaluate

    config = load_config(TestConfig, options.config, options.overrides)
    device = pick_device(config.device)
    network = load_network(config.weights, device)
    data = config.data
    protocol = MocapProtocol(load_anny_body(), data.motion, data.every, data.ages, config.seed, config.limit)
    metrics = evaluate(network, protocol, batch_size=config.batch_size, device=device, progress=True)
    print(table(metrics))
    if options.json:
        content = json.dumps(metrics, indent=1).encode()
        write_with(options.json, lambda stream: stream.write(content))
    return 0


def table(metrics: dict[str, Any]) -> str:
    """The metrics as text: one row per input and group, millimetres."""
    lines = [
        f"{'mm':24s}" + "".join(f"{column.upper().replace('_', '-'):>10s}" for column in COLUMNS) + f"{'samples':>9s}"
    ]
    for name, values in metrics.items():
        rows = {name: values, **{f"  {group}": numbers for group, numbers in values["groups"].items()}}
        for label, numbers in rows.items():
            cells = "".join(f"{numbers[column]:10.1f}" for column in COLUMNS)
            lines.append(f"{label:24s}{cells}{numbers['count']:9d}")
    return "\n".join(lines)
