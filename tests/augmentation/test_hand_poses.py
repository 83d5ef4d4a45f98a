"""The sampler stays within what hands can do, repeats itself by seed, and covers what it should."""

import pytest
import torch

from pose2mesh.augmentation.hand_contact import segment_distance
from pose2mesh.augmentation.hand_frames import ANGLES
from pose2mesh.augmentation.hand_gestures import (
    DISTINCT_DEGREES,
    TEST_FAMILIES,
    TRAINING_FAMILIES,
    VALIDATION_FAMILIES,
    distinct_gestures,
    gesture_pool,
    gestures,
)
from pose2mesh.augmentation.hand_poses import HandPoses, HandPoseSampler, clamp_hand
from pose2mesh.body_models import load_hand_body
from pose2mesh.errors import InputError

SAMPLER = HandPoseSampler(load_hand_body(), gesture_pool(TRAINING_FAMILIES))


def sample(count: int, seed: int = 0) -> torch.Tensor:
    return SAMPLER.sample(count, torch.Generator().manual_seed(seed))


def column(angles: torch.Tensor, joint: str) -> torch.Tensor:
    """That angle of the four fingers [B,4]."""
    return angles[:, [i for i, name in enumerate(ANGLES) if name.endswith(f"_{joint}") and "thumb" not in name]]


def test_same_seed_same_poses() -> None:
    assert torch.equal(sample(64, seed=3), sample(64, seed=3))
    assert not torch.equal(sample(64, seed=3), sample(64, seed=4))


def test_no_sample_collides() -> None:
    assert not SAMPLER.collides(sample(512)).any()


def test_no_gesture_collides_and_all_are_within_limits() -> None:
    pool = gesture_pool(tuple(gestures()))
    assert not SAMPLER.collides(pool).any()
    assert (clamp_hand(pool.clone()) - pool).abs().max() < 1


def test_fingers_through_each_other_collide() -> None:
    """The index finger through the middle one; the thumb through the palm; a finger through the palm."""
    crossed, through, folded = (torch.zeros(1, 24) for _ in range(3))
    crossed[0, 3:5] = folded[0, 3:5] = torch.tensor([40.0, 20.0])
    crossed[0, ANGLES.index("index_spread")] = -35
    through[0, 3:8] = torch.tensor([-10.0, 5.0, 0.0, 60.0, 60.0])
    folded[0, [ANGLES.index(f"middle_{j}") for j in ("mcp", "pip", "dip")]] = torch.tensor([110.0, 110.0, 80.0])
    assert SAMPLER.collides(crossed).all() and SAMPLER.collides(through).all() and SAMPLER.collides(folded).all()


def test_limits_of_goniometry() -> None:
    angles = sample(1024)
    assert column(angles, "mcp").min() >= -25 and column(angles, "mcp").max() <= 90
    assert column(angles, "pip").min() >= 0 and column(angles, "pip").max() <= 108
    assert column(angles, "dip").max() <= 75 and column(angles, "spread").abs().max() <= 25


def test_bent_fingers_spread_less() -> None:
    angles = sample(2048)
    mcp, spread = column(angles, "mcp"), column(angles, "spread")
    assert spread[mcp > 70].abs().max() < 12 < spread[mcp < 10].abs().max()


def test_end_joints_follow_the_middle_joints() -> None:
    angles = sample(2048)
    pip, dip = column(angles, "pip").flatten(), column(angles, "dip").flatten()
    assert torch.corrcoef(torch.stack([pip, dip]))[0, 1] > 0.8


def test_fingers_bend_together_but_not_always() -> None:
    bends = column(sample(2048), "pip")
    correlation = torch.corrcoef(bends.T)
    assert 0.4 < correlation[1, 2] < 0.95
    assert (bends.amax(1) - bends.amin(1) > 60).float().mean() > 0.1


def test_shares_choose_the_source() -> None:
    """Gestures alone, without noise, are the pool."""
    recipe = HandPoses(
        interpolate=0, mix_fingers=0, synergies=0, independent=0, perturb=0, wrist_flexion=0, wrist_deviation=0
    )
    pool = gesture_pool(("counting",))
    drawn = HandPoseSampler(load_hand_body(), pool, recipe).sample(64, torch.Generator().manual_seed(0))
    assert torch.cdist(drawn, clamp_hand(pool.clone())).amin(1).max() < 1e-3


def test_families_are_kept_apart() -> None:
    families = (*TRAINING_FAMILIES, *VALIDATION_FAMILIES, *TEST_FAMILIES)
    assert sorted(families) == sorted(gestures()) and len(set(families)) == len(families)
    known = gesture_pool(TRAINING_FAMILIES)[:, 3:]
    kept = distinct_gestures(TEST_FAMILIES, TRAINING_FAMILIES)
    for _, angles in kept:
        assert ((angles[3:] - known) ** 2).mean(1).sqrt().min() >= DISTINCT_DEGREES
    assert {family for family, _ in kept} == set(TEST_FAMILIES) and len(kept) >= 30


def test_unknown_family() -> None:
    with pytest.raises(InputError, match=r"juggling.*basic"):
        gesture_pool(("juggling",))


def test_segment_distance_against_sampling() -> None:
    generator = torch.Generator().manual_seed(0)
    a, da, b, db = torch.randn(4, 50, 3, generator=generator)
    along = torch.linspace(0, 1, 201)
    points_a = a[:, None] + along[:, None] * da[:, None]  # [50, 201, 3]
    points_b = b[:, None] + along[:, None] * db[:, None]
    sampled = torch.cdist(points_a, points_b).flatten(1).amin(1)
    assert (segment_distance(a, da, b, db) - sampled).abs().max() < 0.02
