"""Parameters from a mesh: bodies of known pose and shape come back, wherever they stand."""

import numpy as np
import pytest
import torch

from pose2mesh.augmentation.figures import figure_pool
from pose2mesh.augmentation.poses import PoseAugmentation, sample_poses, world_rotmats
from pose2mesh.body_models import load_anny_body
from pose2mesh.fitting.parameters import ParameterFit
from pose2mesh.hierarchy import load_hierarchy
from pose2mesh.synthesis.bodies import training_shapes


@pytest.fixture(scope="module")
def fit() -> ParameterFit:
    return ParameterFit(load_anny_body(), np.asarray(load_hierarchy("anny_body_qem").vertex_ids[2]))


def bodies(fit: ParameterFit, recipe: PoseAugmentation) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    pose = sample_poses(figure_pool(), 8, recipe, torch.Generator().manual_seed(0))
    world, betas = world_rotmats(pose), training_shapes()[0][:8]
    return fit.reduced.skin(betas, fit.body.expand_groups(world)), world, betas


def test_known_bodies_come_back(fit):
    vertices, world, _ = bodies(fit, PoseAugmentation())
    found = fit(vertices)
    cosine = ((found.rotations * world).sum((-1, -2)) - 1) / 2
    angle = torch.rad2deg(torch.arccos(cosine.clamp(-1, 1)))  # [8, 19]
    assert angle.mean() < 2.5  # measured 1.5 on 32 bodies; clavicles, which hold little skin, are off by 5
    again = fit.reduced.skin(found.betas, fit.body.expand_groups(found.rotations))
    error = (again - again.mean(1, keepdim=True)) - (vertices - vertices.mean(1, keepdim=True))
    assert error.norm(dim=-1).mean() < 0.010  # measured 6.4 mm


def test_a_shift_changes_nothing_and_a_turn_turns_the_rotations(fit):
    vertices, _, _ = bodies(fit, PoseAugmentation(tumble=0))
    turn = torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    before, after = fit(vertices), fit(vertices @ turn.T + torch.tensor([0.3, -2.0, 5.0]))
    torch.testing.assert_close(after.rotations, turn @ before.rotations, atol=2e-3, rtol=0)
    torch.testing.assert_close(after.betas, before.betas, atol=2e-2, rtol=0)


def test_the_rest_pose_of_the_mean_body_is_exact(fit):
    rest = fit.reduced.vertices[None, :, :, 0]
    found = fit(rest)
    torch.testing.assert_close(found.rotations, torch.eye(3).expand(1, 19, 3, 3), atol=1e-4, rtol=0)
    assert found.betas.abs().max() < 1e-3
