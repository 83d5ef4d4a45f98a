"""The controlled domain gap: `python -m tools.studies.gap_table --config FILE [--json OUT] [key=value ...]`.

Measures every way to adapt; prints a Markdown table for each source network, writes all values as JSON after each row.
The same command goes on where it was stopped.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pose2mesh.errors import InputError
from pose2mesh.paths import check_writable, write_json
from pose2mesh.settings import load_config
from tools.studies.gap_study import StudyConfig, StudyRow, run_study, table


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="for example tools/studies/test_domain_gap.yaml")
    parser.add_argument("--json", type=Path, metavar="OUT")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    options = parser.parse_args(arguments)
    config = load_config(StudyConfig, options.config, options.overrides)
    rows = run_study(config, done=_done(options.json, config), keep=lambda rows: _keep(options.json, config, rows))
    for weights in dict.fromkeys(row.weights for row in rows):
        print(f"\n{weights}\n\n{table([row for row in rows if row.weights == weights])}")
    return 0


def _done(path: Path | None, config: StudyConfig) -> list[StudyRow]:
    """The rows of a run that was stopped. Raises InputError for those of other settings."""
    if path is None:
        return []
    check_writable(path)  # not after hours of measuring
    if not path.is_file():
        return []
    there = json.loads(path.read_text())
    if there.get("settings") != config.model_dump(mode="json"):
        raise InputError(f"{path} holds a table of other settings; give another --json, or remove it")
    return [StudyRow(**row) for row in there["domain_gap"]]


def _keep(path: Path | None, config: StudyConfig, rows: list[StudyRow]) -> None:
    if path:
        there = {"settings": config.model_dump(mode="json"), "domain_gap": [asdict(row) for row in rows]}
        write_json(path, there)


if __name__ == "__main__":
    sys.exit(main())
