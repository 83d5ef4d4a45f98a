"""The One-Euro filter (Casiez, Roussel, Vogel, CHI 2012): a low pass that opens with speed."""

import math

import numpy as np


def one_euro(
    points: np.ndarray,
    min_cutoff: float = 0.004,
    beta: float = 0.7,
    *,
    derivative_cutoff: float = 1.0,
    interval: float = 1.0,
) -> np.ndarray:
    """Smooth every coordinate of a sequence over time.

    A smaller `min_cutoff` takes more jitter out of slow motion, a larger `beta` leaves less lag in fast motion. Cutoffs
    are in 1/time and `beta` in 1/length, so the same motion in other units needs another `beta`: the defaults are the
    original's, for millimetres and one frame as the unit of time.

    Shapes: points [T, ...]; returns the same in float64. `interval` is the time between frames.
    """
    points = np.asarray(points, np.float64)  # [T, ...]
    smooth = points.copy()
    speed = np.zeros_like(points[:1])[0] if len(points) else points
    for frame in range(1, len(points)):
        change = (points[frame] - smooth[frame - 1]) / interval
        speed = speed + _weight(derivative_cutoff, interval) * (change - speed)
        weight = _weight(min_cutoff + beta * np.abs(speed), interval)
        smooth[frame] = smooth[frame - 1] + weight * (points[frame] - smooth[frame - 1])
    return smooth


def _weight(cutoff, interval: float):
    """Weight of the new value in exponential smoothing with this cutoff frequency."""
    turn = 2 * math.pi * cutoff * interval
    return turn / (turn + 1)
