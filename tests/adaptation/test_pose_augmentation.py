"""Augmentation of predicted poses against the paper's formula written out, and what has to stay as it was."""

import pytest
import torch

from pose2mesh.adaptation.pose_augmentation import (
    LatentAugmentation,
    augment_poses,
    move_latent,
    without_impossible_shapes,
)
from pose2mesh.augmentation.poses import random_rotations, world_rotmats
from pose2mesh.geometry.chains import relative_rotations
from pose2mesh.networks.pose_prior import PosePrior
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.skeletons import MOTION_PARENTS


@pytest.fixture
def prior() -> PosePrior:
    torch.manual_seed(0)
    return PosePrior(18, width=32, latent=8).eval()


@pytest.fixture
def predicted() -> BodyParameters:
    generator = torch.Generator().manual_seed(1)
    pose = 0.4 * torch.randn(6, 19, 3, generator=generator)
    world = random_rotations(6, generator)[:, None] @ world_rotmats(pose)
    return BodyParameters(world, torch.randn(6, 16, generator=generator))


def test_the_default_is_the_formula_of_the_paper(prior, predicted):
    """z = mu + sigma n; z (1 + s eps) with n drawn first, then eps from U[0, 1)."""
    recipe = LatentAugmentation(strength=0.7)
    augmented = augment_poses(prior, predicted, recipe, torch.Generator().manual_seed(5))
    generator = torch.Generator().manual_seed(5)
    relative = relative_rotations(predicted.rotations, MOTION_PARENTS)
    mean, deviation = prior.encode(relative[:, 1:])
    latent = mean + deviation * torch.randn(mean.shape, generator=generator)
    moved = latent * (1 + 0.7 * torch.rand(latent.shape, generator=generator))
    expected = prior.decode(moved)
    torch.testing.assert_close(
        relative_rotations(augmented.rotations, MOTION_PARENTS)[:, 1:], expected, atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("kind", ["multiply", "add", "adversarial", "random"])
def test_root_and_shape_stay_and_the_rest_moves(prior, predicted, kind):
    recipe = LatentAugmentation(kind=kind)
    out = augment_poses(
        prior, predicted, recipe, torch.Generator().manual_seed(0), lambda p: p.rotations.square().mean()
    )
    assert torch.equal(out.rotations[:, 0], predicted.rotations[:, 0])
    assert torch.equal(out.betas, predicted.betas)
    assert (out.rotations[:, 1:] - predicted.rotations[:, 1:]).abs().amax((1, 2, 3)).min() > 1e-3
    assert not out.rotations.requires_grad


def test_multiplying_only_ever_moves_away_from_the_mean_pose():
    latent = torch.randn(50, 8, generator=torch.Generator().manual_seed(2))
    ratio = move_latent(latent, LatentAugmentation(strength=0.5), torch.Generator().manual_seed(3)) / latent
    assert ratio.min() >= 1
    assert ratio.max() <= 1.5
    assert abs(ratio.mean() - 1.25) < 0.02


def test_a_random_pose_forgets_what_was_predicted(prior, predicted):
    recipe = LatentAugmentation(kind="random")
    other = BodyParameters(predicted.rotations.flip(0), predicted.betas)
    first, second = (augment_poses(prior, p, recipe, torch.Generator().manual_seed(4)) for p in (predicted, other))
    poses = [relative_rotations(p.rotations, MOTION_PARENTS)[:, 1:] for p in (first, second)]
    torch.testing.assert_close(*poses, atol=1e-5, rtol=0)


def test_the_adversarial_step_climbs_the_loss():
    latent = torch.randn(4, 8, generator=torch.Generator().manual_seed(2))
    target = torch.randn(8, generator=torch.Generator().manual_seed(6))

    def loss(z):
        return ((z - target) ** 2).sum()

    recipe = LatentAugmentation(kind="adversarial", strength=0.1)
    moved = move_latent(latent, recipe, torch.Generator(), loss)
    assert loss(moved) > loss(latent)
    torch.testing.assert_close(moved - latent, 0.1 * torch.sign(latent - target))


def test_one_impossible_coefficient_makes_the_shape_the_mean():
    betas = torch.tensor([[2.9, -2.9], [0.0, 3.1], [-3.5, 0.2]])
    kept = without_impossible_shapes(BodyParameters(torch.eye(3).expand(3, 19, 3, 3), betas)).betas
    assert torch.equal(kept, torch.tensor([[2.9, -2.9], [0.0, 0.0], [0.0, 0.0]]))


def test_the_same_generator_gives_the_same_poses(prior, predicted):
    first, second = (
        augment_poses(prior, predicted, LatentAugmentation(), torch.Generator().manual_seed(7)) for _ in range(2)
    )
    assert torch.equal(first.rotations, second.rotations)
