"""Fits of motions: to the keypoints, without what single frames say; first guesses and how far keypoints are off."""

import numpy as np
import pytest
import torch

from pose2mesh.augmentation.cameras import project
from pose2mesh.body_models import load_anny_body
from pose2mesh.body_models.reduced import ReducedBody
from pose2mesh.fitting.frame_answers import residuals
from pose2mesh.fitting.steady_fit import SteadyFit, calm, slow
from pose2mesh.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.prediction import BodyParameters

BODY = load_anny_body()
TIMES = torch.arange(60, dtype=torch.float64) / 30
PLACE = torch.tensor([0.1, 0.2, 4.0])


def motion(turn: float) -> BodyParameters:
    """An upright body whose left upper arm is turned by an angle all the time."""
    rest = torch.diag(torch.tensor([1.0, -1, -1])).repeat(len(TIMES), 19, 1, 1)
    rest[:, 6:9] = rest[:, 6:9] @ rotvec_to_rotmat(torch.tensor([0.0, 0.0, turn]))
    return BodyParameters(rest, torch.zeros(len(TIMES), BODY.num_shape))


def joints(parameters: BodyParameters) -> torch.Tensor:
    reduced = ReducedBody(BODY, np.arange(1), "body32")
    found = reduced.joints(parameters.betas, BODY.expand_groups(parameters.rotations))
    return found - found[:, AnnyDecoder(BODY).root, None]


def rays_of(points: torch.Tensor) -> torch.Tensor:
    seen = project(points, PLACE.expand(len(points), 3))
    return torch.cat([seen, torch.ones_like(seen[..., :1])], -1)


def test_a_constant_stays_and_the_past_does_not_know_the_future():
    turns = torch.full((60, 19, 3), 0.2)
    for causal in (False, True):
        torch.testing.assert_close(slow(turns, TIMES, causal), turns)
    step = torch.cat([torch.zeros(30, 19, 3), torch.ones(30, 19, 3)])
    assert (slow(step, TIMES, causal=True)[:30] == 0).all()
    assert slow(step, TIMES)[29, 0, 0] > 0.2 and slow(step, TIMES, causal=True)[-1, 0, 0] > 0.95


def test_the_last_filter_looks_back_and_hardly_lags():
    angles = torch.zeros(60, 1, 3)
    angles[30:, 0, 1] = 0.5
    calmed = rotmat_to_rotvec(calm(rotvec_to_rotmat(angles), TIMES))[:, 0, 1]
    assert calmed[29].abs() < 1e-6 and 0.3 < calmed[30] < 0.5 and abs(calmed[33] - 0.5) < 0.01
    noise = 0.02 * torch.randn(60, 1, 3, generator=torch.Generator().manual_seed(0))
    rough, smooth = (
        rotmat_to_rotvec(r).diff(n=2, dim=0).norm()
        for r in (rotvec_to_rotmat(noise), calm(rotvec_to_rotmat(noise), TIMES))
    )
    assert smooth < 0.8 * rough
    assert torch.equal(calm(rotvec_to_rotmat(noise[:1]), TIMES[:1]), rotvec_to_rotmat(noise[:1]))


@pytest.mark.parametrize("causal", [False, True])
def test_what_keypoints_say_all_the_time_is_taken(causal):
    truth, start = motion(0.35), motion(0.0)
    rays = rays_of(joints(truth))
    fitted = SteadyFit(BODY, "body32")(start, torch.full((60, 32), 0.1), rays, TIMES, causal)
    before, after = ((joints(p) - joints(truth)).norm(dim=-1).mean() for p in (start, fitted))
    assert after < 0.6 * before
    assert torch.equal(fitted.betas, start.betas)


def test_what_one_frame_says_is_not():
    steady = motion(0.0)
    rays = rays_of(joints(steady))
    noisy = rays.clone()
    noisy[30, 9, 0] += 0.2 / 4  # a wrist, 20 cm off
    one = joints(SteadyFit(BODY, "body32")(steady, torch.full((60, 32), 0.1), noisy, TIMES))
    assert (one - joints(steady)).norm(dim=-1).max() < 0.02


def test_residuals_tell_which_keypoint_is_off():
    points = joints(motion(0.0))[:2]
    rays = rays_of(points)
    assert residuals(points, rays).abs().max() < 1e-4
    rays[0, 9, 0] += 0.2 / 4
    rays[1, 10, 2] = 0
    found = residuals(points, rays)
    assert found[0, 9, 0] == pytest.approx(0.2, abs=0.02)
    assert found[0].norm(dim=-1).argsort(descending=True)[0] == 9
    assert (found[1, 10] == 0).all()
