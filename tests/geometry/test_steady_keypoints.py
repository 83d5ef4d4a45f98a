"""Keypoints over time: what is smooth stays, what jitters, strays or is missing for a moment is mended."""

import numpy as np
import pytest
import torch

from pose2mesh.geometry.steady_keypoints import FILLED, KeypointStream, steady_keypoints

RATE, FRAMES, JOINTS = 30.0, 90, 17
TIMES = torch.arange(FRAMES) / RATE


@pytest.fixture(scope="module")
def exact() -> torch.Tensor:
    """Joints [T,17,3] of somebody 400 px tall whose joints swing by 80 px, once in two to ten seconds."""
    rng = np.random.default_rng(0)
    rest = np.stack([rng.uniform(-80, 80, JOINTS), np.linspace(-200, 200, JOINTS)], -1)
    swing = rng.uniform(0.1, 0.5, (JOINTS, 2)) * TIMES.numpy()[:, None, None] + rng.uniform(0, 1, (JOINTS, 2))
    points = rest + 40 * np.sin(2 * np.pi * swing)
    return torch.from_numpy(np.concatenate([points, np.ones((FRAMES, JOINTS, 1))], -1)).float()


def jittered(exact: torch.Tensor, pixels: float, seed: int = 0) -> torch.Tensor:
    noisy = exact.clone()
    noisy[..., :2] += pixels * torch.randn(FRAMES, JOINTS, 2, generator=torch.Generator().manual_seed(seed))
    return noisy


def off(found: torch.Tensor, exact: torch.Tensor) -> torch.Tensor:
    """Distances [T, J] px."""
    return (found - exact)[..., :2].norm(dim=-1)


def test_exact_keypoints_stay(exact):
    for causal in (False, True):
        assert off(steady_keypoints(exact, TIMES, causal), exact).max() < 1


@pytest.mark.parametrize(("causal", "share"), [(False, 0.45), (True, 0.8)])
def test_jitter_goes(exact, causal, share):
    noisy = jittered(exact, 6)
    steady = steady_keypoints(noisy, TIMES, causal)
    assert off(steady, exact).mean() < share * off(noisy, exact).mean()
    torch.testing.assert_close(steady[..., 2], noisy[..., 2])


def test_it_is_least_squares_where_nothing_strays(exact):
    """The middle frame, beside numpy's weighted polynomial fit of the width that this jitter asks for."""
    noisy = jittered(exact, 400 * 0.011)  # width: 0.2 s, about
    wide = steady_keypoints(noisy, TIMES)[45]
    gone = (TIMES - TIMES[45]).numpy()
    fitted = [
        np.polyfit(gone, noisy[:, joint, :2].numpy(), 2, w=np.exp(-0.25 * (gone / 0.2) ** 2))[2]
        for joint in range(JOINTS)
    ]
    assert np.abs(wide[:, :2].numpy() - np.array(fitted)).mean() < 0.8  # robust weights and the width differ a little


def test_strays_return_and_short_gaps_close(exact):
    exact = exact.clone()
    exact[:, 9] = exact[0, 9]  # of one that swings nobody could say that it strayed
    noisy = jittered(exact, 5)
    noisy[40:44, 9, :2] += 90
    noisy[60:66, 10] = torch.tensor([float("nan"), float("nan"), 0.0])
    noisy[:, 3] = 0
    steady = steady_keypoints(noisy, TIMES)
    assert off(steady, exact)[40:44, 9].max() < 15
    assert off(steady, exact)[60:66, 10].max() < 15
    assert (steady[60:66, 10, 2] == FILLED).all()
    assert (steady[:, 3] == 0).all() and steady.isfinite().all()  # who never shows a joint has none


def test_who_swings_fast_keeps_the_size_of_the_swing(exact):
    """One joint, twice a second by 100 px, among slow ones: at most a quarter of its swing is lost."""
    swinging = exact.clone()
    swinging[:, 4, 0] += 100 * torch.sin(4 * np.pi * TIMES)
    noisy = jittered(swinging, 5)
    for causal in (False, True):
        steady = steady_keypoints(noisy, TIMES, causal)[10:-10]
        assert np.ptp(steady[:, 4, 0].numpy()) > 0.75 * np.ptp(swinging[10:-10, 4, 0].numpy())
        assert (
            off(steady, swinging[10:-10])[:, 4].mean() < (1.2 if not causal else 6) * off(noisy, swinging)[:, 4].mean()
        )


def test_units_rates_and_whole_videos_in_blocks(exact):
    noisy = jittered(exact, 5)
    scale = torch.tensor([1e-3, 1e-3, 1.0])
    torch.testing.assert_close(steady_keypoints(noisy * scale, TIMES), steady_keypoints(noisy, TIMES) * scale)
    some = torch.rand(FRAMES, generator=torch.Generator().manual_seed(0)) < 0.7  # frames that are lost
    assert off(steady_keypoints(noisy[some], TIMES[some]), exact[some]).mean() < 0.55 * off(noisy, exact).mean()
    long = torch.cat([noisy] * 6)  # two blocks, and one that begins in the middle of a repetition
    found = steady_keypoints(long, torch.arange(len(long)) / RATE)
    torch.testing.assert_close(found[300:330], found[210:240], rtol=1e-4, atol=1e-2)


def test_a_stream_is_the_causal_mode_frame_by_frame(exact):
    """But for how much keypoints jitter, which a stream learns as they come."""
    noisy, stream = jittered(exact, 5), KeypointStream()
    found = torch.stack([stream(keypoints, float(time)) for keypoints, time in zip(noisy, TIMES, strict=True)])
    whole = steady_keypoints(noisy, TIMES, causal=True)
    assert off(found, whole)[20:].mean() < 0.5
    assert off(found, exact)[20:].mean() < 0.8 * off(noisy, exact).mean()
    changed = noisy.clone()
    changed[50:] += 30
    again = steady_keypoints(changed[:50], TIMES[:50], causal=True)
    assert off(again, whole[:50]).mean() < 0.5  # nothing of the future but the jitter


def test_few_frames_and_nobody():
    keypoints = torch.rand(2, JOINTS, 3)
    assert steady_keypoints(keypoints, TIMES[:2]) is keypoints
    nobody = torch.zeros(5, JOINTS, 3)
    assert steady_keypoints(nobody, TIMES[:5]) is nobody
