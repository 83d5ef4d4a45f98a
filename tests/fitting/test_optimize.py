"""Fitting by descent: the prior against SciPy, and bodies whose parameters are known."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from pose2mesh import Pose2Mesh
from pose2mesh.augmentation.figures import figure
from pose2mesh.augmentation.poses import world_rotmats
from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints import load_network
from pose2mesh.errors import InputError
from pose2mesh.fitting.aiming import aimed
from pose2mesh.fitting.optimize import BodyFitter, FitSettings, RefinedNetwork, _chain, _Variables
from pose2mesh.fitting.pose_mixture import PoseMixture, load_mixture
from pose2mesh.geometry.chains import relative_rotations
from pose2mesh.geometry.placement import guess_rays, reprojection_errors
from pose2mesh.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.skeletons import MOTION_PARENTS
from pose2mesh.synthesis.detections import conversion
from tools.assets.pose_mixture import fit_mixture

UPRIGHT = torch.diag(torch.tensor([1.0, -1.0, -1.0]))


@pytest.fixture(scope="module")
def decoder() -> AnnyDecoder:
    return AnnyDecoder(load_anny_body(), np.zeros(0, int))


def seen_figure(decoder: AnnyDecoder, name: str = "stride") -> tuple[BodyParameters, torch.Tensor]:
    """Parameters of a figure turned by 30 degrees, and its keypoints [1,17,3] in pixels."""
    turn = UPRIGHT @ rotvec_to_rotmat(torch.tensor([0.0, 0.5, 0.0]))
    parameters = BodyParameters(turn @ world_rotmats(figure(name)[None]), torch.zeros(1, 16))
    joints = decoder.joints(parameters)[:, :17] + torch.tensor([0.0, 0.0, 4.0])
    return parameters, torch.cat([1000 * joints[..., :2] / joints[..., 2:] + 500, torch.ones(1, 17, 1)], -1)


def test_the_mixture_is_that_of_scipy():
    rng = np.random.default_rng(0)
    means, weights = rng.normal(size=(2, 54)), np.array([0.3, 0.7])
    factors = 0.3 * rng.normal(size=(2, 54, 54))
    covariances = factors @ factors.transpose(0, 2, 1) + 0.2 * np.eye(54)
    poses = rng.normal(size=(5, 54))
    density = [multivariate_normal(m, c).logpdf(poses) for m, c in zip(means, covariances, strict=True)]
    expected = -np.logaddexp(*(np.log(w) + d for w, d in zip(weights, density, strict=True)))
    mixture = PoseMixture(means, covariances, weights)
    found = mixture.energy(torch.from_numpy(poses).float().view(5, 18, 3)).numpy()
    np.testing.assert_allclose(found - found[0], expected - expected[0], rtol=1e-3, atol=1e-2)  # up to a constant


def test_the_fit_runs_where_the_body_is():
    """The device `meta` has shapes without numbers, and like a GPU it takes no tensor of the CPU."""
    fitter = BodyFitter(AnnyDecoder(load_anny_body(), np.zeros(0, int)).to("meta"), "coco17")
    start = BodyParameters(torch.zeros(2, 19, 3, 3, device="meta"), torch.zeros(2, 16, device="meta"))
    found = fitter.refine(torch.zeros(2, 17, 3, device="meta"), start)
    assert found.rotations.device.type == "meta" and found.rotations.shape == (2, 19, 3, 3)


def test_expectation_maximization_finds_two_clusters():
    rng = np.random.default_rng(1)
    poses = np.concatenate([rng.normal(-2, 0.1, (150, 6)), rng.normal(1, 0.3, (50, 6))])
    means, covariances, weights = fit_mixture(poses, 2)
    order = np.argsort(means[:, 0])
    np.testing.assert_allclose(means[order], [[-2.0] * 6, [1.0] * 6], atol=0.15)
    np.testing.assert_allclose(weights[order], [0.75, 0.25], atol=0.01)
    np.testing.assert_allclose(np.sqrt(covariances[order[1], 0, 0]), np.hypot(0.3, np.deg2rad(4)), atol=0.08)


def test_recorded_like_poses_are_likelier_than_random_ones():
    mixture = load_mixture()
    walking = mixture.energy(figure("stride")[None, 1:])
    random = mixture.energy(torch.randn(20, 18, 3, generator=torch.Generator().manual_seed(0)))
    assert walking.item() < random.min().item()


def test_a_fit_from_nothing_explains_the_keypoints_and_stands_upright(decoder: AnnyDecoder):
    truth, keypoints = seen_figure(decoder)
    found = BodyFitter(decoder, "coco17").fit(keypoints, FitSettings(iterations=45))
    joints = decoder.joints(found)
    errors = reprojection_errors(joints[:, :17], guess_rays(keypoints), keypoints[..., 2])
    assert errors.mean() < 0.08  # a few percent of the height
    assert (joints - decoder.joints(truth)).norm(dim=-1).mean() < 0.2


def test_refining_removes_a_disturbance_in_the_picture(decoder: AnnyDecoder):
    truth, keypoints = seen_figure(decoder)
    bend = rotvec_to_rotmat(0.15 * torch.randn(19, 3, generator=torch.Generator().manual_seed(2)))
    start = BodyParameters(truth.rotations @ bend, truth.betas)

    def error(parameters: BodyParameters) -> float:
        joints = decoder.joints(parameters)[:, :17]
        return reprojection_errors(joints, guess_rays(keypoints), keypoints[..., 2]).mean().item()

    with torch.inference_mode():  # as within `predict`
        refined = BodyFitter(decoder, "coco17").refine(keypoints, start)
    assert error(refined) < 0.5 * error(start)


def test_a_missing_joint_is_not_looked_at(decoder: AnnyDecoder):
    truth, keypoints = seen_figure(decoder)
    fitter, settings = BodyFitter(decoder, "coco17"), FitSettings(iterations=3)
    keypoints[0, 9, 2] = 0
    elsewhere = keypoints.clone()
    elsewhere[0, 9, :2] = -1e4
    a, b = fitter.refine(keypoints, truth, settings), fitter.refine(elsewhere, truth, settings)
    torch.testing.assert_close(a.rotations, b.rotations)


def test_a_camera_that_is_told_is_gone_by(decoder: AnnyDecoder, monkeypatch: pytest.MonkeyPatch):
    """What is descended on are rays of the camera aimed at the person; a guessed one would hold four times as much."""
    network, given = RefinedNetwork(load_network("anny-key2mesh")), []

    def note(rays, confidence, start, settings):
        given.append(rays)
        return start, None

    monkeypatch.setattr(network.fitter, "_descend", note)
    keypoints = seen_figure(decoder)[1]
    camera = torch.tensor([[4000.0, 960.0, 540.0]])
    told = {"intrinsics": 4000.0, "image_size": (1920, 1080)}
    Pose2Mesh(network).predict(keypoints.numpy(), "coco17", outputs="joints", **told)  # pyright: ignore[reportArgumentType]
    straight, _ = aimed(conversion("coco17", network.joint_set)(keypoints), camera)
    expected = torch.where(straight[..., 2:] > 0, (straight[..., :2] - camera[:, None, 1:]) / 4000, 0.0)
    torch.testing.assert_close(given[0], expected, atol=1e-5, rtol=0)
    network(straight)
    torch.testing.assert_close(given[1], guess_rays(straight))  # a plain call knows no camera
    assert given[1].abs().max() > 3 * given[0].abs().max()


def test_networks_without_parameters_are_refused():
    with pytest.raises(InputError, match="anny-key2mesh"):
        RefinedNetwork(torch.nn.Linear(2, 2))


def test_the_energy_is_the_sum_of_its_weighted_terms(decoder: AnnyDecoder):
    """Each with its formula; re-projection errors and the prior are tested on their own."""
    truth, keypoints = seen_figure(decoder)
    fitter, generator = BodyFitter(decoder, "coco17"), torch.Generator().manual_seed(0)
    pose = rotmat_to_rotvec(relative_rotations(truth.rotations, MOTION_PARENTS))[:, 1:]  # [1, 18, 3]
    turn, bend = 0.1 * torch.randn(1, 3, generator=generator), 0.1 * torch.randn(1, 18, 3, generator=generator)
    free = _Variables(turn, pose + bend, torch.randn(1, 16, generator=generator))
    root = truth.rotations[:, 0]
    settings = FitSettings(robust=0.2, reprojection=7.0, prior=0.3, shape=1.9, anchor=2.3)
    joints = decoder.joints(
        BodyParameters(_chain(rotvec_to_rotmat(turn) @ root, rotvec_to_rotmat(pose + bend)), free.betas)
    )[:, :17]
    squared = reprojection_errors(joints, guess_rays(keypoints), keypoints[..., 2]).numpy().astype(float) ** 2
    expected = (
        7.0 * (0.04 * squared / (squared + 0.04)).sum()
        + 0.3 * fitter.mixture.energy(pose + bend).item()
        + 1.9 * (free.betas.numpy().astype(float) ** 2).sum()
        + 2.3 * ((turn**2).sum().item() + (bend**2).sum().item())
    )
    found = fitter._energy(free, root, pose, guess_rays(keypoints), keypoints[..., 2], settings)
    assert found.item() == pytest.approx(expected, rel=1e-4)
