"""The loss of deviations: least at the quantile asked for, whatever the distribution."""

import numpy as np
import torch

from pose2mesh.losses.coordinates import quantile_loss
from pose2mesh.losses.terms import ONE_DEVIATION


def test_least_at_the_quantile_of_the_errors() -> None:
    errors = torch.from_numpy(np.random.default_rng(0).gamma(2.0, 0.03, 20_001))
    candidates = torch.linspace(0.02, 0.15, 400, dtype=torch.float64)
    losses = torch.stack([quantile_loss(c.expand_as(errors), errors, ONE_DEVIATION) for c in candidates])
    assert abs(float(candidates[losses.argmin()]) - np.quantile(errors.numpy(), ONE_DEVIATION)) < 5e-4


def test_value_against_its_definition() -> None:
    predicted, errors = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.4, 0.1, 0.3])
    wanted = (0.7 * 0.3 + 0.3 * 0.1 + 0.0) / 3
    assert abs(float(quantile_loss(predicted, errors, 0.7)) - wanted) < 1e-7
