"""The detector's errors, measured on 20,000 samples against the protocol of docs/protocols.md."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from pose2mesh.augmentation.detector_noise import CLEAN, PROTOCOL_NOISE, DetectorNoise, add_detector_noise, box_height
from pose2mesh.skeletons import joint_set

COUNT = 20_000
COCO = joint_set("coco17")
HEAD = range(5)
LIMBS = range(5, 17)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def points() -> torch.Tensor:
    """One person 4 units tall, many times over [B,17,2]; all joints far apart."""
    person = torch.rand(17, 2, generator=seeded(9)) * torch.tensor([2.0, 4.0]) + 100
    person[0, 1], person[16, 1] = 100.0, 104.0
    return person.expand(COUNT, 17, 2)


def measured(points: torch.Tensor, **changes) -> torch.Tensor:
    return add_detector_noise(points, replace(CLEAN, **changes), seeded())


def test_the_protocol_has_its_numbers() -> None:
    expected = {"jitter": 0.015, "miss": 0.05, "miss_range": (0.05, 0.25), "swap": 0.03, "absent": 0.15}
    assert {name: getattr(PROTOCOL_NOISE, name) for name in expected} == expected
    assert PROTOCOL_NOISE.confidence_range == (0.5, 1.0) and PROTOCOL_NOISE.truncate == 0
    assert not PROTOCOL_NOISE.jitter_is_maximum


def test_clean_is_exact(points: torch.Tensor) -> None:
    detected = add_detector_noise(points[:100], CLEAN, seeded())
    assert torch.equal(detected[..., :2], points[:100]) and (detected[..., 2] == 1).all()


def test_jitter_is_normal_and_scales_with_the_box(points: torch.Tensor) -> None:
    assert box_height(points)[0].item() == pytest.approx(4)
    shift = (measured(points, jitter=0.015)[..., :2] - points) / 4  # in box heights
    assert shift.mean((0, 1)).abs().max() < 1e-4
    np.testing.assert_allclose(shift.std((0, 1)), 0.015, rtol=0.01)  # both axes
    assert abs(np.corrcoef(shift.reshape(-1, 2).T)[0, 1]) < 0.01
    assert stats.kstest(shift[:, 3, 0] / 0.015, "norm").pvalue > 0.001
    larger = measured(3 * points, jitter=0.015)[..., :2] - 3 * points
    np.testing.assert_allclose(larger.std(), 0.015 * 12, rtol=0.01)


def test_a_maximum_varies_the_jitter_between_samples(points: torch.Tensor) -> None:
    shift = (measured(points, jitter=0.03, jitter_is_maximum=True)[..., :2] - points) / 4
    own = shift.flatten(1).std(1)  # [B] each from 34 draws
    assert own.max() < 0.05 and own.min() < 0.001
    assert shift.square().mean().sqrt().item() == pytest.approx(0.03 / np.sqrt(3), rel=0.02)


def test_misses_are_as_many_and_as_far_as_stated(points: torch.Tensor) -> None:
    shift = (measured(points, miss=0.05)[..., :2] - points) / 4
    distance = shift.norm(dim=-1)
    missed = distance > 1e-4
    assert missed.float().mean().item() == pytest.approx(0.05, abs=0.002)
    assert stats.kstest(distance[missed], stats.uniform(0.05, 0.2).cdf).pvalue > 0.001
    angle = torch.atan2(shift[..., 1], shift[..., 0])[missed]
    assert stats.kstest(angle, stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 0.001


def test_limb_joints_trade_places_with_their_partners(points: torch.Tensor) -> None:
    detected = measured(points, swap=0.03)[..., :2]
    moved = (detected != points).any(-1)  # [B, 17]
    flip = list(COCO.flip_permutation)
    assert not moved[:, HEAD].any()
    assert torch.equal(moved, moved[:, flip])  # both or none
    assert torch.equal(detected[moved], points[:, flip][moved])
    np.testing.assert_allclose(moved[:, LIMBS].float().mean(0), 0.03, atol=0.006)  # five deviations


def test_absent_joints_are_zero(points: torch.Tensor) -> None:
    detected = measured(points, absent=0.15)
    gone = detected[..., 2] == 0
    np.testing.assert_allclose(gone.float().mean(0), 0.15, atol=0.0125)
    assert (detected[gone] == 0).all() and (detected[~gone][:, 2] == 1).all()


def test_enough_joints_always_remain(points: torch.Tensor) -> None:
    seen = (measured(points, absent=0.9)[..., 2] > 0).sum(1)
    assert seen.min() >= 4 and (seen == 4).any()


def test_truncation_takes_whole_groups(points: torch.Tensor) -> None:
    gone = measured(points, truncate=0.6)[..., 2] == 0
    assert gone.any(1).float().mean().item() == pytest.approx(0.6, abs=0.02)
    ankles = [COCO.index("left_ankle"), COCO.index("right_ankle")]
    legs_cut = gone[:, COCO.index("right_knee")]
    assert legs_cut.any() and gone[legs_cut][:, ankles].all()  # no knee outside the picture with an ankle inside
    patterns = {tuple(row.tolist()) for row in gone}
    assert len(patterns) == 8  # seven ways to be cut, or none


def test_confidences_are_uniform(points: torch.Tensor) -> None:
    confidence = measured(points, confidence_range=(0.5, 1.0))[..., 2]
    assert stats.kstest(confidence.flatten()[::17], stats.uniform(0.5, 0.5).cdf).pvalue > 0.001


def test_all_errors_together(points: torch.Tensor) -> None:
    """Chance that a limb joint is farther than 5% of the box from its place: swapped, missed, or jittered that far."""
    detected = add_detector_noise(points, PROTOCOL_NOISE, seeded())
    seen = detected[..., 2] > 0
    assert seen.float().mean().item() == pytest.approx(0.85, abs=0.003)
    assert detected[..., 2][seen].min() >= 0.5 and detected[..., 2].max() <= 1
    far = ((detected[..., :2] - points).norm(dim=-1) / 4 > 0.05) & seen
    partners = points[0, list(COCO.flip_permutation)]
    apart = (points[0] - partners).norm(dim=-1) / 4 > 0.1  # swapped joints that land clearly elsewhere
    limbs = [j for j in LIMBS if apart[j]]
    rate = (far[:, limbs].sum() / seen[:, limbs].sum()).item()
    jittered = np.exp(-((0.05 / 0.015) ** 2) / 2)  # Rayleigh
    assert rate == pytest.approx(1 - (1 - 0.03) * (1 - 0.05) * (1 - jittered), abs=0.006)


def test_same_seed_same_errors(points: torch.Tensor) -> None:
    first, again, other = (add_detector_noise(points[:20], DetectorNoise(), seeded(s)) for s in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize("share", [0.5, 0.7, 0.9, 1.0])
def test_as_many_joints_are_absent_as_stated_up_to_the_fewest(points: torch.Tensor, share: float) -> None:
    """Of 17 joints 4 are always left: the mean of a binomial that is cut there."""
    gone = (measured(points, absent=share)[..., 2] == 0).float().mean()
    counts = np.arange(18)
    expected = (stats.binom.pmf(counts, 17, share) * np.minimum(counts, 13)).sum() / 17
    assert gone == pytest.approx(expected, abs=0.01)
