"""Made-up fits have nothing to do with made-up joints: rules under which they count all the same."""

from dataclasses import replace

import pytest

from pose2mesh import plugins


def set_misfits(patch: pytest.MonkeyPatch, largest: float, *datasets: str) -> None:
    """Let fits of these datasets, by default of all, be `largest` m and px off."""
    for name in datasets or plugins.names("dataset"):
        found = plugins.find("dataset", name)
        lenient = replace(found, largest_misfit_m=largest, largest_misfit_px=largest)
        patch.setitem(plugins._loaded, ("dataset", name), lenient)
