import numpy as np
import pytest
import torch

from pose2mesh.metrics import auc, f_score


def test_f_score_matches_all_pairs():
    rng = np.random.default_rng(0)
    pred = torch.from_numpy(rng.normal(0, 0.05, (3, 40, 3)))
    target = torch.from_numpy(rng.normal(0, 0.05, (3, 55, 3)))
    distance = torch.cdist(pred, target).numpy()  # [B, V, V']
    precision = (distance.min(2) < 0.03).mean(1)
    recall = (distance.min(1) < 0.03).mean(1)
    expected = 2 * precision * recall / (precision + recall)
    assert expected.min() > 0.1 and expected.max() < 0.95
    np.testing.assert_allclose(f_score(pred, target, 0.03).numpy(), expected)


def test_f_score_extremes():
    points = torch.randn(1, 30, 3)
    assert f_score(points, points.flip(1), 0.005).item() == 1  # correspondence plays no role
    assert f_score(points, points + 100, 0.005).item() == 0
    assert f_score(torch.cat([points, points * torch.nan]), points.repeat(2, 1, 1), 0.005).isnan().tolist() == [
        False,
        True,
    ]


def test_f_score_punishes_what_is_missing_and_what_is_too_much():
    line = torch.arange(10.0)[None, :, None] * torch.tensor([1.0, 0, 0])
    # half of the target found: precision 1, recall 1/2
    assert f_score(line[:, :5], line, 0.5).item() == pytest.approx(2 / 3)
    assert f_score(line, line[:, :5], 0.5).item() == pytest.approx(2 / 3)


def test_auc_is_the_mean_distance_below_the_limit():
    # the integral of a step function from the distance on is 1 - distance / limit
    target = torch.zeros(2, 3, 3).double()
    pred = target.clone()
    pred[0, :, 0] = torch.tensor([0.01, 0.02, 0.2])
    expected = (0.8 + 0.6 + 0.0) / 3
    area = auc(pred, target, steps=100_001)
    np.testing.assert_allclose(area.numpy(), [expected, 1.0], atol=1e-4)
    np.testing.assert_allclose(auc(pred, target).numpy(), area.numpy(), atol=0.005)


def test_auc_matches_numpy_with_a_hundred_thresholds():
    rng = np.random.default_rng(0)
    pred, target = rng.normal(0, 0.02, (2, 5, 21, 3))
    distance = np.linalg.norm(pred - target, axis=-1)
    thresholds = np.linspace(0, 0.05, 100)
    share = (distance[..., None] <= thresholds).mean(1)
    expected = np.trapezoid(share, thresholds) / np.trapezoid(np.ones(100), thresholds)
    np.testing.assert_allclose(auc(torch.from_numpy(pred), torch.from_numpy(target)).numpy(), expected)
