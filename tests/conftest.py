"""What all tests share: what is skipped here and why, few threads, the same random numbers every time."""

import os
import random
import sys
from collections import Counter
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import settings

from pose2mesh import paths
from pose2mesh.errors import MissingFileError

# Set before torch is imported, here and in the subprocesses of tests: threads slow small tensors and other tests down.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples on every machine; no deadline, since shared machines stall now and then.
settings.register_profile("pose2mesh", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("pose2mesh")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow as well")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what cannot or should not run here, with the reason."""
    used = {mark.name for item in items for mark in item.iter_markers()}
    reasons = {mark: find_reason(config) for mark, find_reason in _SKIP_REASONS.items() if mark in used}
    for item in items:
        for mark, reason in reasons.items():
            if reason and item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line that counts the skipped tests per reason."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    if reasons:
        counts = "; ".join(f"{count} x {reason}" for reason, count in reasons.most_common())
        terminalreporter.write_line(f"skipped: {counts}")


@pytest.fixture(autouse=True)
def _same_random_numbers() -> None:
    """Seed the global generators, which other libraries draw from; our own code takes a generator."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - the legacy generator is the one that other libraries use
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


def _slow(config: pytest.Config) -> str | None:
    return None if config.getoption("--slow") else "slow; run with --slow"


def _gpu(config: pytest.Config) -> str | None:
    import torch

    return None if torch.cuda.is_available() else "no CUDA device"


def _data(config: pytest.Config) -> str | None:
    try:
        folder = paths.data_dir()
    except MissingFileError:
        return "no motion packs; set POSE2MESH_DATA"
    return None if (folder / "mocap_train.npz").is_file() else "no mocap_train.npz in the data folder"


def _anny(config: pytest.Config) -> str | None:
    return None if find_spec("anny") else "anny is not installed; pip install 'pose2mesh[assets]'"


_SKIP_REASONS = {"slow": _slow, "gpu": _gpu, "data": _data, "anny": _anny}
