"""Which detector is chosen, and what is said when it is missing."""

import importlib.util
import sys

import numpy as np
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


def test_views_that_disagree_on_left_and_right_are_not_averaged() -> None:
    """A mean of a joint and its mirror partner lies between them: the person would become a stick."""
    from pose2mesh.detectors.mediapipe import _MIRROR, _merge_views

    plain = np.random.default_rng(0).uniform(0, 100, (33, 3))
    assert np.array_equal(_merge_views(plain, plain[_MIRROR]), plain)
    near = plain + 0.5
    assert np.allclose(_merge_views(plain, near), plain + 0.25)
