"""Levers against the skinning that they stand for."""

import numpy as np
import torch

from pose2mesh.augmentation.poses import random_rotations
from pose2mesh.body_models import load_anny_body
from pose2mesh.body_models.levers import point_levers, points_over_time
from pose2mesh.body_models.reduced import ReducedBody


def test_points_are_those_of_the_skinned_body():
    body, generator = load_anny_body(), torch.Generator().manual_seed(0)
    reduced = ReducedBody(body, np.array([3, 500, 9000]), "coco19")
    betas = torch.randn(2, body.num_shape, generator=generator)
    rotations = random_rotations(2 * 4 * 19, generator).unflatten(0, (8, 19))
    groups = body.expand_groups(rotations)
    points = points_over_time(point_levers(reduced, np.array([0, 2])), betas, groups.unflatten(0, (2, 4)))
    shape = betas.repeat_interleave(4, 0)
    skinned = torch.cat([reduced.joints(shape, groups), reduced.skin(shape, groups)[:, [0, 2]]], 1).unflatten(0, (2, 4))
    torch.testing.assert_close(points - points[:, :, :1], skinned - skinned[:, :, :1], atol=2e-5, rtol=0)
