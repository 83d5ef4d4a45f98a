import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose2mesh.hierarchy import legacy_order
from pose2mesh.hierarchy.legacy_order import legacy_argsort

CHECKOUT = Path(__file__).resolve().parents[2]

# Keys with ties, sorted keys, and one that drives quicksort to its depth limit; run beside NumPy's scalar
# sort.
AGAINST_NUMPY = """
import numpy as np
from pose2mesh.hierarchy.legacy_order import legacy_argsort
from test_legacy_order import killer
fast = {"AVX2", "AVX512F", "AVX512_SKX", "X86_V3", "X86_V4", "ASIMD", "VSX", "VX", "RVV"}
on = {name for name, is_on in np._core._multiarray_umath.__cpu_features__.items() if is_on}
rng = np.random.default_rng(0)
keys = [rng.integers(0, rng.integers(1, 12), size).astype(float) for size in rng.integers(0, 700, 150)]
keys += [np.sort(keys[-1]), np.sort(keys[-1])[::-1], killer(1000), np.floor(killer(1000) / 3)]
print(sum(not np.array_equal(np.argsort(k), legacy_argsort(k)) for k in keys), *sorted(on & fast))
"""


def killer(size: int) -> np.ndarray:
    """Keys on which the median of three is always nearly the smallest (Musser 1997)."""
    half = size // 2
    odd = np.arange(1, half + 1)
    first = np.where(odd % 2 == 1, odd, half + odd - 1)
    return np.concatenate([first, 2 * odd]).astype(float)


@given(st.lists(st.integers(0, 9), max_size=400))
def test_it_sorts(keys):
    order = legacy_argsort(keys)
    np.testing.assert_array_equal(np.sort(order), np.arange(len(keys)))
    np.testing.assert_array_equal(np.array(keys)[order], np.sort(keys))


def test_short_stretches_are_stable_and_long_ones_are_not():
    np.testing.assert_array_equal(legacy_argsort([0.0] * 16), np.arange(16))
    assert not np.array_equal(legacy_argsort([0.0] * 17), np.arange(17))


def test_deep_recursion_ends_in_heapsort(monkeypatch):
    calls = []
    heap_sort = legacy_order._heap_sort
    monkeypatch.setattr(legacy_order, "_heap_sort", lambda *args: (calls.append(1), heap_sort(*args)))
    np.testing.assert_array_equal(killer(1000)[legacy_argsort(killer(1000))], np.arange(1, 1001))
    assert calls


def test_it_leaves_ties_as_numpys_scalar_sort_does():
    environment = {
        **os.environ,
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 X86_V3",
        "PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(Path(__file__).parent)]),
    }
    ran = subprocess.run(
        [sys.executable, "-c", AGAINST_NUMPY], env=environment, capture_output=True, text=True, timeout=120
    )
    different, *fast = (ran.stdout.split() or ["?"])[:2]
    if different != "0" and (ran.returncode or fast):
        pytest.skip(f"this NumPy cannot be told to sort without vector instructions: {ran.stderr[-80:]} {fast}")
    assert different == "0"
