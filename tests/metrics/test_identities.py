"""Measures of identities against counts by hand."""

import numpy as np
import pytest

from tools.studies.identities import identity_f1, identity_switches


def test_by_hand():
    truth = np.array([0, 1, 0, 1, 0, 1, -1])
    found = np.array([5, 6, 5, 5, 5, 6, 8])
    assert identity_f1(truth, found) == pytest.approx(2 * (3 + 2) / (6 + 7))
    assert identity_switches(truth, found) == 2  # 6, 5, 6


def test_missed_people_and_nobody():
    truth, found = np.array([0, 0, 0]), np.array([1, -1, 1])
    assert identity_f1(truth, found) == pytest.approx(2 * 2 / (3 + 2))
    assert identity_switches(truth, found) == 0
    assert identity_f1(np.zeros(0, int), np.zeros(0, int)) == 0
