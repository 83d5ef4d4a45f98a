"""Which detector is chosen, and what is said when it is missing."""

import importlib.util
import sys

import pytest

from pose2mesh.detectors import get_detector
from pose2mesh.errors import MissingDependencyError


def test_auto_without_any_detector_names_the_line_to_type(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'pose2mesh\[detect\]'"):
        get_detector("auto")


@pytest.mark.parametrize(("name", "extra"), [("mediapipe", "detect"), ("rtmlib", "rtmlib")])
def test_missing_package(monkeypatch, name, extra):
    for module in [m for m in sys.modules if m.split(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)  # import raises ImportError
    with pytest.raises(MissingDependencyError, match=rf"pip install 'pose2mesh\[{extra}\]'"):
        get_detector(name)
