"""The One-Euro filter against its definition, written out for one coordinate, and in its limits."""

import math

import numpy as np
import pytest

from pose2mesh.geometry.one_euro import one_euro


def filtered(values: list[float], rate: float, min_cutoff: float, beta: float, derivative_cutoff: float) -> list[float]:
    """Casiez et al. 2012, algorithm 1 and 2: alpha from a time constant, two exponential smoothings."""

    def alpha(cutoff: float) -> float:
        tau = 1 / (2 * math.pi * cutoff)
        return 1 / (1 + tau * rate)

    result, derivative = [values[0]], 0.0
    for value in values[1:]:
        raw = (value - result[-1]) * rate
        derivative = alpha(derivative_cutoff) * raw + (1 - alpha(derivative_cutoff)) * derivative
        a = alpha(min_cutoff + beta * abs(derivative))
        result.append(a * value + (1 - a) * result[-1])
    return result


@pytest.mark.parametrize(("rate", "min_cutoff", "beta", "cutoff"), [(1, 0.004, 0.005, 1), (30, 1.0, 0.2, 2.5)])
def test_every_coordinate_follows_the_definition(rate: float, min_cutoff: float, beta: float, cutoff: float) -> None:
    motion = np.random.default_rng(0).normal(0, 30, (40, 3, 2)).cumsum(0)
    smooth = one_euro(motion, min_cutoff, beta, derivative_cutoff=cutoff, interval=1 / rate)
    for joint in range(3):
        for axis in range(2):
            expected = filtered(motion[:, joint, axis].tolist(), rate, min_cutoff, beta, cutoff)
            np.testing.assert_allclose(smooth[:, joint, axis], expected)


def test_rest_stays_and_jitter_shrinks() -> None:
    rest = np.full((30, 2, 3), 12.5)
    assert np.array_equal(one_euro(rest), rest)
    jitter = np.random.default_rng(1).normal(0, 1, (300, 2, 3))
    assert one_euro(jitter, 0.004, 0.005)[100:].std() < 0.5 * jitter[100:].std()


def test_a_large_beta_follows_fast_motion() -> None:
    ramp = 100.0 * np.arange(50)[:, None]
    lag = {beta: float((ramp - one_euro(ramp, 0.004, beta))[-1, 0]) for beta in (0.001, 0.7)}
    assert 0 < lag[0.7] < 1 < lag[0.001]


def test_short_sequences_come_back() -> None:
    assert one_euro(np.zeros((0, 3))).shape == (0, 3)
    assert one_euro(np.ones((1, 3))).tolist() == [[1, 1, 1]]
