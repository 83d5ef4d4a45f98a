"""The quick fit: its Jacobian against autograd, and bodies whose parameters are known."""

import time

import numpy as np
import pytest
import torch

from pose2mesh import Pose2Mesh
from pose2mesh.augmentation.figures import figure
from pose2mesh.augmentation.poses import world_rotmats
from pose2mesh.body_models import load_anny_body
from pose2mesh.fitting.quick_fit import QuickFit, QuickFitSettings, quick_fit_of, spread_points
from pose2mesh.geometry.rotation import rotvec_to_rotmat
from pose2mesh.metrics import knee_flexion
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.prediction import BodyParameters, BodyPrediction, UncertainPrediction
from pose2mesh.skeletons import MOTION_BONES

UPRIGHT = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
FOCAL, DISTANCE = 1000.0, 4.0


@pytest.fixture(scope="module")
def fit() -> QuickFit:
    return QuickFit(load_anny_body(), "body32")


def truth_of(name: str = "stride", seed: int = 0) -> BodyParameters:
    turn = UPRIGHT @ rotvec_to_rotmat(torch.tensor([0.0, 0.5, 0.0]))
    betas = 0.5 * torch.randn(1, 16, generator=torch.Generator().manual_seed(seed))
    return BodyParameters(turn @ world_rotmats(figure(name)[None]), betas)


def body_of(fit: QuickFit, parameters: BodyParameters) -> BodyPrediction:
    """By the plain skinning of `ReducedBody`."""
    groups = fit.body.expand_groups(parameters.rotations)
    joints, vertices = fit.reduced.joints(parameters.betas, groups), fit.reduced.skin(parameters.betas, groups)
    return BodyPrediction(vertices - joints[:, fit.root, None], joints - joints[:, fit.root, None], parameters)


def rays_of(joints: torch.Tensor) -> torch.Tensor:
    placed = joints + torch.tensor([0.3, -0.1, DISTANCE])
    return torch.cat([placed[..., :2] / placed[..., 2:], torch.ones_like(placed[..., :1])], -1)


def disturbed(parameters: BodyParameters, radians: float, seed: int = 1) -> BodyParameters:
    noise = radians * torch.randn(1, len(MOTION_BONES), 3, generator=torch.Generator().manual_seed(seed))
    return BodyParameters(rotvec_to_rotmat(noise) @ parameters.rotations, torch.zeros_like(parameters.betas))


def reprojection(found: BodyPrediction, rays: torch.Tensor) -> float:
    """Mean error over the box, at the best place by plain least squares on the rays."""
    joints, rays = found.joints[0].double().numpy(), rays[0, :, :2].double().numpy()
    rows = [np.eye(2), -rays[:, :, None]]
    system = np.concatenate([np.broadcast_to(rows[0], (len(rays), 2, 2)), rows[1]], -1).reshape(-1, 3)
    place = np.linalg.lstsq(system, (rays * joints[:, 2:] - joints[:, :2]).ravel(), rcond=None)[0]
    placed = joints + place
    return float(np.linalg.norm(placed[:, :2] / placed[:, 2:] - rays, axis=1).mean() / np.ptp(rays, axis=0).max())


def test_the_jacobian_is_that_of_autograd(fit):
    double = QuickFit(load_anny_body(), "body32").double()
    given = truth_of("crouch")
    state = BodyParameters(given.rotations.double(), given.betas.double())
    groups = double.body.expand_groups(state.rotations)

    def points(turns: torch.Tensor, betas: torch.Tensor) -> torch.Tensor:
        turned = rotvec_to_rotmat((double.shares @ turns)[None]) @ groups
        joints = double.reduced.joints(betas, turned)
        mesh = double.reduced.skin(betas, turned)[:, double.mesh_points]
        return (torch.cat([joints, mesh], 1) - joints[:, double.root, None])[0]

    zero = torch.zeros(len(MOTION_BONES), 3, dtype=torch.float64)
    by_turn, by_shape = torch.autograd.functional.jacobian(points, (zero, state.betas))
    found, slopes = double.linearize(state)
    torch.testing.assert_close(found[0], points(zero, state.betas), rtol=0, atol=1e-6)  # buffers are rounded
    torch.testing.assert_close(slopes[0], torch.cat([by_turn.flatten(2), by_shape[:, :, 0]], -1), rtol=0, atol=1e-6)


def test_a_turn_of_one_bone_moves_the_groups_between_by_its_share():
    body = load_anny_body()
    start, small = torch.eye(3).expand(1, len(MOTION_BONES), 3, 3), 1e-3
    bone = MOTION_BONES.index("spine03")
    moved = start.clone()
    moved[:, bone] = rotvec_to_rotmat(torch.tensor([[small, 0.0, 0.0]]))
    measured = body.expand_groups(moved)[0, :, 2, 1] / small
    torch.testing.assert_close(body.turn_shares()[:, bone], measured, rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", ["stride", "crouch"])
def test_exact_keypoints_are_met_and_bring_the_body_nearer(fit, name):
    truth = body_of(fit, truth_of(name))
    rays = rays_of(truth.joints)
    start = body_of(fit, disturbed(truth.parameters, 0.1))
    exact = QuickFit(fit.body, "body32", QuickFitSettings(keypoint=0.002, noise=0.02))
    found = exact(start, rays)
    assert reprojection(start, rays) > 0.01
    assert reprojection(found, rays) < 0.002
    before, after = ((x.joints - truth.joints).norm(dim=-1).mean() for x in (start, found))
    assert after < before
    default = fit(start, rays)
    assert reprojection(default, rays) < 0.5 * reprojection(start, rays)


def test_the_answer_is_the_body_of_its_parameters(fit):
    truth = body_of(fit, truth_of())
    start = body_of(fit, disturbed(truth.parameters, 0.1))
    deviation = torch.full((1, 32), 0.05)
    found = fit(UncertainPrediction(start.vertices, start.joints, deviation, start.parameters), rays_of(truth.joints))
    expected = body_of(fit, found.parameters)
    torch.testing.assert_close(found.vertices, expected.vertices, rtol=0, atol=1e-5)
    torch.testing.assert_close(found.joints, expected.joints, rtol=0, atol=1e-5)


def test_keypoints_are_as_uncertain_as_the_network_is(fit):
    """Of the joints that are seen: what it says of others is about what the picture does not show."""
    truth = body_of(fit, truth_of())
    start, rays = body_of(fit, disturbed(truth.parameters, 0.1)), rays_of(truth.joints)
    legs = [i for i, n in enumerate(fit.set.joints) if any(part in n for part in ("knee", "ankle", "heel", "toe"))]
    rays[:, legs] = 0

    def left(deviation: torch.Tensor) -> float:
        answer = UncertainPrediction(start.vertices, start.joints, deviation, start.parameters)
        found = body_of(fit, fit.fit(answer, rays))  # before hidden legs are decided on
        return reprojection(found._replace(joints=found.joints[:, rays[0, :, 2] > 0]), rays[:, rays[0, :, 2] > 0])

    sure = torch.full((1, 32), 0.06)
    unseen = sure.clone()
    unseen[:, legs] *= 4
    assert left(4 * sure) > 1.3 * left(sure)
    assert left(unseen) == pytest.approx(left(sure), rel=0.05)
    nothing = body_of(fit, fit.fit(start, torch.zeros_like(rays)))
    torch.testing.assert_close(nothing.joints, start.joints, rtol=0, atol=0.01)


def test_who_is_sure_is_surer_once_fitted_and_who_is_not_stays_so(fit):
    truth = body_of(fit, truth_of())
    rays = rays_of(truth.joints)
    rays[:, 20:] = 0

    def left(deviation: torch.Tensor, rays: torch.Tensor = rays) -> torch.Tensor:
        answer = UncertainPrediction(truth.vertices, truth.joints, deviation, truth.parameters)
        return fit(answer, rays, with_mesh=False).deviation / deviation

    limit, power = fit.settings.sure, fit.settings.sureness
    told = torch.full((1, 32), limit / 4)
    told[:, 20:] = 3 * limit  # of what nobody sees
    torch.testing.assert_close(left(told), torch.full((1, 32), 0.25**power))
    torch.testing.assert_close(left(torch.full((1, 32), 1.01 * limit)), torch.ones(1, 32))
    torch.testing.assert_close(left(told, torch.zeros_like(rays)), torch.ones(1, 32))


def test_limbs_without_keypoints_stay_as_the_network_said(fit):
    truth = body_of(fit, truth_of())
    start = body_of(fit, disturbed(truth.parameters, 0.1))
    rays = rays_of(truth.joints)
    legs = [i for i, n in enumerate(fit.set.joints) if any(part in n for part in ("knee", "ankle", "heel", "toe"))]
    rays[:, legs] = 0
    wild = rays.clone()
    wild[:, legs, :2] = 7.0  # what stands at missing joints says nothing
    torch.testing.assert_close(fit(start, rays).joints, fit(start, wild).joints)
    found = body_of(fit, fit.fit(start, rays))  # before hidden legs are decided on
    moved = (found.joints - start.joints)[0, legs].norm(dim=-1)
    assert moved.max() < 0.05
    assert torch.isfinite(found.vertices).all()


def test_legs_that_look_short_do_not_bend_the_knees(fit):
    """Ankles seen 4 % of a leg too high: by length alone a straight knee would bend by 2 acos(0.96) = 33 degrees."""
    turn = UPRIGHT.expand(1, len(MOTION_BONES), 3, 3).clone()
    for side in "LR":
        turn[:, MOTION_BONES.index(f"lowerleg01.{side}")] = UPRIGHT @ rotvec_to_rotmat(torch.tensor([0.2, 0.0, 0.0]))
    truth = body_of(fit, BodyParameters(turn, torch.zeros(1, fit.body.num_shape)))
    rays = rays_of(truth.joints)
    for name in fit.set.joints:
        if any(part in name for part in ("knee", "ankle", "heel", "toe")):
            hip, joint = (fit.set.index(n) for n in (f"{name.split('_')[0]}_hip", name))
            rays[0, joint, :2] += 0.04 * (rays[0, hip, :2] - rays[0, joint, :2])

    def bend(found: BodyPrediction) -> float:
        return float((knee_flexion(found.joints, fit.set.joints) - knee_flexion(truth.joints, fit.set.joints)).max())

    loose = QuickFit(fit.body, "body32", QuickFitSettings(knee=QuickFitSettings().turn))
    assert bend(loose(truth, rays)) > 4  # what it is there for
    assert bend(fit(truth, rays)) < bend(loose(truth, rays)) / 2


def test_one_wrong_keypoint_does_not_pull_the_body_away(fit):
    truth = body_of(fit, truth_of())
    rays = rays_of(truth.joints)
    rays[0, fit.set.index("left_wrist"), 0] += 1.5 / DISTANCE
    found = fit(truth, rays)
    assert (found.joints - truth.joints).norm(dim=-1).mean() < 0.01


def test_a_person_takes_ten_milliseconds(fit):
    truth = body_of(fit, truth_of())
    rays, times = rays_of(truth.joints), []
    with torch.inference_mode():
        for _ in range(60):  # the least of many: others may share the processor
            begin = time.process_time()
            fit.fit(truth, rays)
            times.append(time.process_time() - begin)
    assert min(times) < 0.015  # ten where nobody shares its caches


def test_points_of_the_mesh_lie_all_over_it():
    points = load_anny_body().v_template.numpy()
    ids = spread_points(points, 64)
    assert len(set(ids)) == 64
    nearest = np.linalg.norm(points[:, None] - points[ids][None], axis=-1).min(1)
    assert nearest.max() < 0.2


def test_people_are_bodies_of_their_parameters_and_no_fit_is_the_networks_answer(fit):
    model = Pose2Mesh.from_pretrained("anny-key2mesh")
    truth = body_of(fit, truth_of())
    rays = rays_of(truth.joints)[0, :17]
    keypoints = torch.cat([FOCAL * rays[:, :2] + 500, rays[:, 2:]], 1).numpy()
    plain, fitted = (model.predict(keypoints, "coco17", fit=wanted)[0] for wanted in (False, True))
    output = model(torch.from_numpy(plain.keypoints)[None])
    np.testing.assert_allclose(plain.vertices, output.vertices[0].detach(), atol=1e-5)
    decoder = AnnyDecoder(load_anny_body())
    parameters = BodyParameters(*(torch.from_numpy(fitted.parameters[n])[None] for n in ("rotations", "betas")))
    np.testing.assert_allclose(fitted.vertices, decoder(parameters).vertices[0], atol=1e-5)
    errors = [
        np.linalg.norm(p.camera.project(p.joints[:17]) - keypoints[:, :2], axis=1).mean() for p in (plain, fitted)
    ]
    assert errors[1] < errors[0] / 2
    assert model.predict(keypoints, "coco17", outputs="joints")[0].vertices.shape == (0, 3)


def test_networks_without_parameters_are_not_fitted():
    assert quick_fit_of(Pose2Mesh.from_pretrained("anny-hand").network) is None
