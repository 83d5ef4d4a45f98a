"""The controlled domain gap: `python -m tools.studies.gap_table --config FILE [--json OUT] [key=value ...]`.

Measures every way to adapt; prints a Markdown table for each source network, writes all values as JSON.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pose2mesh.paths import check_writable, write_json
from pose2mesh.settings import load_config
from tools.studies.gap_study import StudyConfig, run_study, table


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="for example tools/studies/test_domain_gap.yaml")
    parser.add_argument("--json", type=Path, metavar="OUT")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    options = parser.parse_args(arguments)
    if options.json:
        check_writable(options.json)  # not after hours of measuring
    rows = run_study(load_config(StudyConfig, options.config, options.overrides))
    for weights in dict.fromkeys(row.weights for row in rows):
        print(f"\n{weights}\n\n{table([row for row in rows if row.weights == weights])}")
    if options.json:
        write_json(options.json, {"domain_gap": [asdict(row) for row in rows]})
    return 0


if __name__ == "__main__":
    sys.exit(main())
