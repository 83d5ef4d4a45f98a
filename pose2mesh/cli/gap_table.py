"""The part of `pose2mesh test` that makes the table of the controlled domain gap."""

import json
from dataclasses import asdict
from pathlib import Path


def run_gap_table(config: str, overrides: list[str], output: Path | None) -> int:
    """Measure every way to adapt; prints a Markdown table for each source network, writes all values as JSON."""
    from pose2mesh.adaptation.study import StudyConfig, run_study, table
    from pose2mesh.paths import write_with
    from pose2mesh.training.config import load_config

    rows = run_study(load_config(StudyConfig, config, overrides))
    for weights in dict.fromkeys(row.weights for row in rows):
        print(f"\n{weights}\n\n{table([row for row in rows if row.weights == weights])}")
    if output:
        content = json.dumps({"domain_gap": [asdict(row) for row in rows]}, indent=1).encode()
        write_with(output, lambda stream: stream.write(content))
    return 0
