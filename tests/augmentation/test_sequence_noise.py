"""Errors that last: their shares, durations and correlations, measured on many sequences."""

import numpy as np
import pytest
import torch

from pose2mesh.augmentation.sequence_noise import EXACT, SequenceNoise, add_sequence_noise, episodes, held, wander

NONE = {"jitter": 0.0, "miss": 0.0, "swap": 0.0, "absent": 0.0}
POINTS = torch.rand(1, 1, 17, 2, generator=torch.Generator().manual_seed(1)).expand(200, 120, 17, 2)
HEIGHT = float(POINTS[0, 0, :, 1].max() - POINTS[0, 0, :, 1].min())


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def detect(rate: float = 30.0, **noise) -> torch.Tensor:
    return add_sequence_noise(POINTS, SequenceNoise(**{**NONE, **noise}), torch.full((200,), rate), seeded())


def durations(states: np.ndarray) -> float:
    """Mean length of the episodes of [N,T], those at the edges left out."""
    lengths = []
    for row in states:
        edges = np.flatnonzero(np.diff(row.astype(int)))
        runs = np.split(row, edges + 1)[1:-1]
        lengths += [len(run) for run in runs if run[0]]
    return float(np.mean(lengths))


def test_exact_is_exact():
    seen = add_sequence_noise(POINTS, EXACT, torch.full((200,), 30.0), seeded())
    assert torch.equal(seen[..., :2], POINTS) and (seen[..., 2] == 1).all()


@pytest.mark.parametrize("rate", [15.0, 30.0, 60.0])
def test_episodes_last_as_long_in_seconds_at_any_rate(rate):
    states = episodes((300, 600), 0.1, 10.0, torch.full((300,), rate), seeded()).numpy()
    assert states.mean() == pytest.approx(0.1, rel=0.1)
    assert durations(states) == pytest.approx(10 * rate / 30, rel=0.12)


def test_jitter_is_half_white_and_half_remembered():
    error = ((detect(jitter=0.02)[..., :2] - POINTS) / (0.02 * HEIGHT)).numpy()  # [B, T, J, 2]
    assert error.std() == pytest.approx(1, rel=0.03)
    for lag in (1, 5):
        found = np.mean(error[:, lag:] * error[:, :-lag])
        assert found == pytest.approx(0.5 * 0.9**lag, abs=0.03)


def test_wandering_remembers_less_between_frames_that_lie_further_apart():
    slow = wander((400, 50), 0.9, torch.full((400,), 15.0), seeded())
    assert float((slow[:, 1:] * slow[:, :-1]).mean() / slow.square().mean()) == pytest.approx(0.81, abs=0.02)


def test_missed_joints_stay_where_they_went():
    error = detect(miss=0.05)[..., :2] - POINTS
    away = error.norm(dim=-1) / HEIGHT
    missed = away > 0
    assert float(missed.float().mean()) == pytest.approx(0.05, rel=0.15)
    assert float(away[missed].min()) >= 0.05 and float(away.max()) <= 0.25
    both = missed[:, 1:] & missed[:, :-1]
    moved = (error[:, 1:] - error[:, :-1]).norm(dim=-1)[both]
    assert float((moved > 1e-6).float().mean()) < 0.05  # but where one episode ends as the next begins


def test_partners_trade_places_together():
    seen = detect(swap=0.1)[..., :2]
    shoulders = torch.equal(seen[..., 5, :], POINTS[..., 5, :])
    is_swapped = (seen[:, :, 5] == POINTS[:, :, 6]).all(-1)
    assert not shoulders and torch.equal(is_swapped, (seen[:, :, 6] == POINTS[:, :, 5]).all(-1))
    assert torch.equal(seen[:, :, :5], POINTS[:, :, :5])  # the head's joints do not


def test_absent_joints_are_zero_and_four_remain_unless_the_person_is_lost():
    seen = detect(absent=0.6)
    assert (seen[seen[..., 2] == 0] == 0).all() and int((seen[..., 2] > 0).sum(-1).min()) >= 4
    lost = (detect(lost=0.2)[..., 2] == 0).all(-1)
    assert float(lost.float().mean()) == pytest.approx(0.2, rel=0.2)


def test_held_values_are_those_of_the_first_frame():
    on = torch.tensor([[False, True, True, False, True]])
    values = torch.arange(5.0)[None, :, None]
    assert held(values, on)[0, :, 0][on[0]].tolist() == [1, 1, 4]


def test_four_joints_are_left_of_somebody_who_is_nearly_gone():
    left = (detect(absent=0.95)[..., 2] > 0).sum(-1)
    assert left.min() == 4 and left.float().mean() < 4.5
