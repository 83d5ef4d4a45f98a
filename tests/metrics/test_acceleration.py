"""Acceleration error against second differences by hand."""

import numpy as np
import torch

from pose2mesh.metrics import acceleration_error


def test_second_differences_by_hand() -> None:
    # One joint on the x axis. Truth: 0 1 4 9 (second difference 2, 2); prediction: 0 1 2 8 (0, 5).
    truth, predicted = torch.zeros(4, 1, 3), torch.zeros(4, 1, 3)
    truth[:, 0, 0] = torch.tensor([0.0, 1, 4, 9])
    predicted[:, 0, 0] = torch.tensor([0.0, 1, 2, 8])
    assert acceleration_error(predicted, truth).tolist() == [2.0, 3.0]


def test_any_steady_drift_is_free_and_joints_are_averaged() -> None:
    rng = np.random.default_rng(0)
    truth = torch.from_numpy(rng.normal(0, 1, (20, 14, 3)))
    time = torch.arange(20.0).double()[:, None, None]
    drift = torch.from_numpy(rng.normal(0, 1, (2, 14, 3)))
    assert acceleration_error(truth + drift[0] + time * drift[1], truth).abs().max() < 1e-12
    jerk = torch.zeros(20, 14, 3).double()
    jerk[10, 3, 1] = 0.14  # one joint of one frame: 1, -2, 1 in time, a fourteenth of it in the mean
    expected = torch.zeros(18).double()
    expected[8:11] = torch.tensor([0.01, 0.02, 0.01])
    torch.testing.assert_close(acceleration_error(truth + jerk, truth), expected)
    assert len(acceleration_error(truth[:2], truth[:2])) == 0  # too short
