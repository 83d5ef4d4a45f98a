"""Joint angles over time, smooth without lag: the One-Euro filter there and back."""

from itertools import pairwise

import numpy as np
import torch

from pose2mesh.geometry.one_euro import one_euro
from pose2mesh.geometry.rotation import rot6d_to_rotmat, rotmat_to_rot6d

LONGEST_GAP = 0.5  # seconds; what lies further apart is smoothed by itself
MIN_CUTOFF, SPEED = 0.4, 0.6  # Hz, and per unit of the 6D form; least error on mocap2_val under correlated noise


def smooth_rotations(rotations: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Rotations [T, B, 3, 3] at times [T] seconds; returns the same shape.

    Both directions are averaged in the 6D form, so that what the filter lags behind in one it leads in the other.
    """
    smooth = np.array(rotations)
    for run in runs_without_gap(times):
        form = rotmat_to_rot6d(torch.from_numpy(rotations[run].astype(np.float64))).numpy()  # [t, B, 6]
        settings = {"min_cutoff": MIN_CUTOFF, "beta": SPEED, "interval": _interval(times[run])}
        both = (one_euro(form, **settings) + one_euro(form[::-1], **settings)[::-1]) / 2
        smooth[run] = rot6d_to_rotmat(torch.from_numpy(both)).numpy()
    return smooth


def runs_without_gap(times: np.ndarray) -> list[slice]:
    """Where times [T] go on without a longer gap."""
    cuts = [0, *(np.flatnonzero(np.diff(times) > LONGEST_GAP) + 1).tolist(), len(times)]
    return [slice(start, end) for start, end in pairwise(cuts)]


def _interval(times: np.ndarray) -> float:
    return float(np.median(np.diff(times))) if len(times) > 1 else 1.0
