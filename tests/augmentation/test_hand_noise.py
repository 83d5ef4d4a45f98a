"""Detector errors on hands, each kind by itself."""

import torch

from pose2mesh.augmentation.detector_noise import CLEAN, PROTOCOL_HAND_NOISE, DetectorNoise, add_hand_noise

POINTS = torch.randn(512, 21, 2, generator=torch.Generator().manual_seed(0))
NOTHING = {"jitter": 0.0, "miss": 0.0, "swap": 0.0, "absent": 0.0}


def noisy(noise: DetectorNoise, seed: int = 1) -> torch.Tensor:
    return add_hand_noise(POINTS, noise, torch.Generator().manual_seed(seed))


def test_clean_is_exact() -> None:
    out = noisy(CLEAN)
    assert torch.equal(out[..., :2], POINTS) and (out[..., 2] == 1).all()


def test_same_seed_same_errors() -> None:
    assert torch.equal(noisy(PROTOCOL_HAND_NOISE), noisy(PROTOCOL_HAND_NOISE))
    assert not torch.equal(noisy(PROTOCOL_HAND_NOISE), noisy(PROTOCOL_HAND_NOISE, seed=2))


def test_jitter_is_a_share_of_the_longer_side() -> None:
    out = noisy(DetectorNoise(**{**NOTHING, "jitter": 0.02}))
    size = (POINTS.amax(1) - POINTS.amin(1)).amax(-1)[:, None, None]
    assert abs(((out[..., :2] - POINTS) / size).std().item() - 0.02) < 0.001


def test_hidden_fingers_are_whole_and_keep_their_root() -> None:
    out = noisy(DetectorNoise(**NOTHING, truncate=1.0))
    gone = (out[..., 2] == 0)[:, 1:].unflatten(1, (5, 4))  # [B, finger, joint]
    assert not gone[..., 0].any() and not (out[:, 0, 2] == 0).any()
    beyond = gone[..., 1:]
    assert (beyond.all(-1) == beyond.any(-1)).all()
    assert set(beyond.any(-1).sum(1).tolist()) == {1, 2}


def test_swapped_fingers_are_neighbors() -> None:
    out = noisy(DetectorNoise(**{**NOTHING, "swap": 1.0}))[..., :2]
    moved = ((out - POINTS).abs().sum(-1) > 0)[:, 1:].unflatten(1, (5, 4)).any(-1)  # [B, 5]
    assert not moved[:, 0].any() and (moved.sum(1) == 2).all()
    first = moved.float().argmax(1)
    rows = torch.arange(len(out))
    assert torch.equal(out[rows, 1 + 4 * first], POINTS[rows, 5 + 4 * first])


def test_some_joints_are_always_left() -> None:
    out = noisy(DetectorNoise(**{**NOTHING, "absent": 0.95}))
    assert ((out[..., 2] > 0).sum(1) >= 6).all()
    assert (out[out[..., 2] == 0] == 0).all()
