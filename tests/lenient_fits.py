"""Made-up fits have nothing to do with made-up joints: rules under which they count all the same."""

from dataclasses import replace
from math import inf

import pytest

from pose2mesh import plugins


def set_misfits(patch: pytest.MonkeyPatch, largest: float, *datasets: str) -> None:
    """Let fits of these datasets, by default of all, be `largest` m or px off, whichever they have a limit of."""
    for name in datasets or plugins.names("dataset"):
        found = plugins.find("dataset", name)
        limits = {"largest_misfit_m": found.largest_misfit_m, "largest_misfit_px": found.largest_misfit_px}
        lenient = replace(found, **{name: largest for name, limit in limits.items() if limit < inf})
        patch.setitem(plugins._loaded, ("dataset", name), lenient)
