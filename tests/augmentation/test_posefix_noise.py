"""PoseFix-style errors: how far, how often, and that they are PoseFix's (restated here joint by joint)."""

import math

import numpy as np
import pytest
import torch

from pose2mesh.augmentation.release_noise import _move, similarity_radius, synthesize_errors
from pose2mesh.skeletons import joint_set

COCO = joint_set("coco17")
SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000
COUNT = 1500


def spread_pose() -> torch.Tensor:
    """Joints far from their partners, so that no error is impossible: [17, 2] px in a box of 400 by 900."""
    x = torch.tensor([200.0, 0, 400, 0, 400, 0, 400, 0, 400, 0, 400, 0, 400, 0, 400, 0, 400])
    y = torch.tensor([0.0, 100, 100, 200, 200, 300, 300, 400, 400, 500, 500, 600, 600, 750, 750, 900, 900])
    return torch.stack([x, y], 1)


def draw(pose: torch.Tensor, seed: int = 0, count: int = 100) -> torch.Tensor:
    return synthesize_errors(pose.expand(count, -1, -1), torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def many() -> torch.Tensor:
    """Draws [COUNT, 17, 2] of the spread pose."""
    return draw(spread_pose(), count=COUNT)


def test_radii_are_those_of_the_keypoint_similarity() -> None:
    area = torch.tensor([400.0 * 900.0])
    for similarity in (0.1, 0.5, 0.85):
        radius = similarity_radius(similarity, area)[0].double().numpy()
        back = np.exp(-(radius**2) / (2 * 360000 * (2 * SIGMAS) ** 2))  # cocodataset.org, keypoint evaluation
        np.testing.assert_allclose(back, similarity, rtol=1e-5)


def test_shares_and_distances_of_the_errors(many: torch.Tensor) -> None:
    """By distance from the joint and from its partner, joint by joint, against the published chances."""
    pose, moved = spread_pose(), many
    radii = {s: similarity_radius(s, torch.tensor([360000.0]))[0] for s in (0.85, 0.5, 0.1)}
    expected = {  # jitter, miss, inversion
        "nose": (0.10, 0.02, 0), "left_eye": (0.15, 0.02, 0.01), "left_ear": (0.15, 0.02, 0.01),
        "left_shoulder": (0.15, 0.05, 0.03), "left_wrist": (0.15, 0.10, 0.03), "left_hip": (0.20, 0.10, 0.06),
        "left_knee": (0.10, 0.10, 0.06), "left_ankle": (0.10, 0.05, 0.06),
    }  # fmt: skip
    for name, (jitter, miss, inversion) in expected.items():
        joint = COCO.index(name)
        distance = (moved[:, joint] - pose[joint]).norm(dim=1)
        partner = COCO.flip_permutation[joint]  # a right joint, which has not moved yet when the left one does
        from_partner = (moved[:, joint] - pose[partner]).norm(dim=1) if partner != joint else torch.inf * distance
        near, middle, far = (radii[s][joint] for s in (0.85, 0.5, 0.1))
        good = distance <= near
        jittered = (distance > near) & (distance <= middle)
        inverted = from_partner <= middle
        missed = ~good & ~jittered & ~inverted
        for found, share in ((jittered, jitter), (inverted, inversion), (missed, miss)):
            tolerance = 4 * math.sqrt(max(share * (1 - share), 0.001) / COUNT)
            assert found.float().mean().item() == pytest.approx(share, abs=tolerance), name
        closest = torch.minimum(distance, from_partner)[missed]
        assert (closest > middle - 1e-3).all() and (closest < far + 1e-3).all()


def test_a_fifth_of_the_misses_is_around_the_partner(many: torch.Tensor) -> None:
    pose, wrists = spread_pose(), many[:, 9]
    middle = similarity_radius(0.5, torch.tensor([360000.0]))[0, 9]
    own, partners = (wrists - pose[9]).norm(dim=1), (wrists - pose[10]).norm(dim=1)
    missed = (own > middle) & (partners > middle)
    around_partner = (partners < own)[missed].float().mean().item()
    assert around_partner == pytest.approx(0.2, abs=4 * math.sqrt(0.16 / missed.sum().item()))


def test_a_good_joint_stays_nearer_to_itself_than_to_its_partner() -> None:
    pose = spread_pose()
    pose[1:, 0] = 200 + 0.02 * (pose[1:, 0] - 200)  # seen from the side: partners 8 px apart
    pose[0, 0] = 0  # the box stays wide
    pose[16, 0] = 400
    moved = draw(pose)
    good = (moved[:, 1] - pose[1]).norm(dim=1)
    middle = similarity_radius(0.5, torch.tensor([360000.0]))[0, 1]
    nearer = (moved[:, 1] - pose[2]).norm(dim=1) > good
    assert torch.isfinite(moved).all()
    assert nearer[good <= middle].float().mean() > 0.97  # the rest are inversions


def test_partners_in_one_place_and_a_point_of_a_person() -> None:
    pose = torch.zeros(17, 2)
    assert torch.isfinite(draw(pose)).all() and not draw(pose).any()
    pose = spread_pose()
    pose[2] = pose[1]
    assert torch.isfinite(draw(pose)).all()


def test_size_of_the_person_scales_the_errors_and_seeds_repeat() -> None:
    pose = spread_pose()
    moved = draw(pose) - pose
    torch.testing.assert_close(draw(3 * pose) - 3 * pose, 3 * moved, rtol=1e-3, atol=0.05)
    torch.testing.assert_close(draw(pose), draw(pose))
    assert not torch.equal(draw(pose, 1), draw(pose, 2))


def test_an_inversion_lies_on_the_partner_within_the_middle_radius() -> None:
    """Uniform in distance from 0 to where the similarity is one half."""
    place, other = torch.zeros(COUNT, 2), torch.tensor([[500.0, 0.0]]).expand(COUNT, -1)
    radii = torch.tensor([[0.0, 10.0, 30.0, 70.0]]).expand(COUNT, -1)
    moved = _move(place, other, radii, (0.0, 0.0, 1.0), torch.Generator().manual_seed(0))
    distance = (moved - other).norm(dim=1)
    assert distance.max() <= 30 + 1e-3 and distance.mean().item() == pytest.approx(15, abs=1)
