"""No planted bug survives (an hour; `python -m tests.mutants` alone prints as it goes)."""

import subprocess
import sys
from pathlib import Path

import pytest

from pose2mesh.ops import native


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
@pytest.mark.skipif(not native.is_available(), reason="no compiled kernels: pose2mesh build-kernels")
def test_every_planted_bug_is_noticed() -> None:
    checkout = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutants"], cwd=checkout, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
