"""The loss over time: nothing at the truth, and what a turned body costs."""

import numpy as np
import pytest
import torch

from pose2mesh.augmentation.poses import random_rotations
from pose2mesh.body_models import load_anny_body
from pose2mesh.body_models.levers import point_levers, points_over_time
from pose2mesh.body_models.reduced import ReducedBody
from pose2mesh.geometry.rotation import rotvec_to_rotmat
from pose2mesh.losses.motion import MotionLoss, MotionLossConfig
from pose2mesh.losses.targets import SequenceBatch
from pose2mesh.networks.temporal import SteadyBody

BODY = load_anny_body()
LEVERS = point_levers(ReducedBody(BODY, np.array([5, 9]), "body32"), np.arange(2))
LOSS = MotionLoss(BODY, LEVERS, "body32", MotionLossConfig())


def truth(count: int = 2, length: int = 6) -> SequenceBatch:
    generator = torch.Generator().manual_seed(0)
    betas = torch.randn(count, BODY.num_shape, generator=generator)
    rotations = random_rotations(count * length * 19, generator).unflatten(0, (count, length, 19))
    groups = BODY.expand_groups(rotations.flatten(0, 1)).unflatten(0, (count, length))
    points = points_over_time(LEVERS - LEVERS[17], betas, groups)
    times = (torch.arange(length) / 30).expand(count, -1)
    present = torch.ones(count, length, dtype=torch.bool)
    return SequenceBatch(torch.zeros(count, length, 48, 3), times, present, points, rotations, betas)


def answer(true: SequenceBatch, rotations: torch.Tensor) -> SteadyBody:
    betas = true.betas[:, None].expand(-1, true.times.shape[1], -1)
    return SteadyBody(rotations, betas, torch.ones_like(true.times))


def test_the_truth_costs_nothing():
    true = truth()
    total, parts = LOSS(answer(true, true.rotations), true, causal=True)
    assert float(total) < 1e-4, parts


def test_a_wrong_heading_that_stays_costs_position_but_no_local_pose():
    true = truth()
    turn = rotvec_to_rotmat(torch.tensor([0.0, 0.3, 0.0]))
    _, parts = LOSS(answer(true, turn @ true.rotations), true, causal=False)
    joints = true.points[:, :, :32]
    expected = (joints @ turn.T - joints).norm(dim=-1).mean()
    assert float(parts["joint"]) == pytest.approx(float(expected), rel=1e-3)
    assert float(parts["local"]) < 1e-5 < float(parts["velocity"])


def test_absent_frames_do_not_count():
    true = truth()
    rotations = true.rotations.clone()
    rotations[:, 2] = rotations[:, 3]
    present = true.present.clone()
    present[:, 2] = False
    total, _ = LOSS(answer(true, rotations), true._replace(present=present), causal=False)
    assert float(total) < 1e-4
