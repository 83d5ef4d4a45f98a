"""DAPA's steps on keypoints: what is synthesized is true, what is missing stays missing, faults leave weights alone."""

import numpy as np
import pytest
import torch
from tiny_network import tiny_settings

from pose2mesh.adaptation.backbones import backbone_of, load_backbone
from pose2mesh.adaptation.config import AdaptConfig
from pose2mesh.adaptation.dapa import DetectionErrors, KeypointAugmentation
from pose2mesh.adaptation.target import TargetSet
from pose2mesh.augmentation.figures import figure_pool
from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints import build_network
from pose2mesh.errors import InputError
from pose2mesh.geometry.placement import person_size, place_bodies
from pose2mesh.synthesis.bodies import SyntheticBodies
from pose2mesh.synthesis.mixture import Mixture

CPU = torch.device("cpu")


def backbone(kind: str):
    torch.manual_seed(0)
    settings = tiny_settings()
    if kind == "key2mesh":
        settings |= {"kind": "key2mesh", "parameters": {"features": "residual", "dropout": 0.2}}
    return backbone_of(build_network(settings), settings)


@pytest.fixture(scope="module")
def keypoints() -> torch.Tensor:
    samples = SyntheticBodies(
        load_anny_body(),
        figure_pool(),
        Mixture(),
        vertex_ids=[0],
        batch_size=24,
    )
    return samples[0].keypoints


def method(kind: str, keypoints: torch.Tensor, **dapa) -> KeypointAugmentation:
    config = AdaptConfig.model_validate({"batch_size": 24, "learning_rate": 1e-3, "dapa": dapa})
    return KeypointAugmentation(backbone(kind), TargetSet(keypoints, keypoints[:4], 0.3), config)


@pytest.mark.parametrize("kind", ["compact", "key2mesh"])
def test_a_step_changes_the_extractor_and_nothing_else(kind, keypoints):
    steps = method(kind, keypoints)
    before = {name: value.clone() for name, value in steps.backbone.state_dict().items()}
    parts = steps.step(0, None, keypoints)
    assert set(parts) == {"real", "synthetic"}
    changed = {name for name, value in steps.backbone.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert all(name.startswith(("extractor.", "network.lifter.")) for name in changed)


def test_synthetic_keypoints_are_projections_of_what_is_true(keypoints):
    steps = method("key2mesh", keypoints, errors="none")
    predicted = steps.backbone.parameters_of(steps.backbone.features(keypoints).detach())
    found, truth = steps.synthesize(predicted, keypoints)
    again = steps.decoder(type(predicted)(truth.rotations, truth.betas))
    torch.testing.assert_close(truth.joints, again.joints)
    torch.testing.assert_close(truth.betas, predicted.betas)
    torch.testing.assert_close(truth.rotations[:, 0], predicted.rotations[:, 0])
    camera = steps._cameras(predicted, keypoints)
    placed = truth.joints[:, :17] + camera[:, None]
    torch.testing.assert_close(found[..., :2], placed[..., :2] / placed[..., 2:])
    assert torch.equal(found[..., 2], keypoints[..., 2])


def test_the_shipped_network_of_every_joint_set_is_adapted(keypoints):
    """It tells more joints than the body that is synthesized, whose camera is found all the same."""
    network = load_backbone("anny-body", CPU)
    found = network.from_coco(keypoints)
    config = AdaptConfig.model_validate({"batch_size": 24})
    steps = KeypointAugmentation(network, TargetSet(found, found[:4], 0.3), config)
    with torch.no_grad():
        predicted = network.parameters_of(network.features(found))
        place = torch.randn(24, 3) * 0.3 + torch.tensor([0, 0, 4.0])
        seen = network.from_coco(steps._truth(predicted, place).keypoints)
        torch.testing.assert_close(steps._cameras(predicted, seen), place, atol=2e-3, rtol=0)
    parts = steps.step(0, None, found)
    assert parts is not None and 0 < parts["real"] < 1 and 0 < parts["synthetic"] < 1


def test_missing_joints_are_missing_in_what_is_synthesized(keypoints):
    target = keypoints.clone()
    target[:, 9:11, 2] = 0
    steps = method("compact", target)
    predicted = steps.backbone.parameters_of(steps.backbone.features(target).detach())
    found, _ = steps.synthesize(predicted, target)
    assert (found[:, 9:11, 2] == 0).all()


def test_errors_have_the_size_they_are_said_to_have():
    points = torch.randn(4000, 17, 2, generator=torch.Generator().manual_seed(0))
    keypoints = torch.cat([points, torch.ones(4000, 17, 1)], -1)
    offset, deviation = 0.1 * torch.randn(17, 2), 0.05 + 0.1 * torch.rand(17, 2)
    moved = DetectionErrors(offset, deviation).add(keypoints, torch.Generator().manual_seed(1))
    size = person_size(points, keypoints[..., 2])[:, None, None]
    difference = (moved - keypoints)[..., :2] / size
    torch.testing.assert_close(difference.mean(0), offset, atol=0.01, rtol=0)
    torch.testing.assert_close(difference.std(0), deviation, atol=0.01, rtol=0)


def residuals(steps: KeypointAugmentation, keypoints: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance [K,2] of keypoints minus their re-projection, person by person, in sizes of the person."""
    weights = keypoints[..., 2] * (keypoints[..., 2] >= 0.3)
    with torch.no_grad():
        joints = steps.backbone.joints(steps.backbone.features(keypoints))
    rows, columns = (list(side) for side in zip(*steps.backbone.shared, strict=True))
    points, weights, joints = keypoints[:, rows, :2], weights[:, rows], joints[:, columns]
    placed = (joints + place_bodies(joints, points, weights)[:, None]).double().numpy()
    size = person_size(points, weights).double().numpy()[:, None, None]
    missed = (points.double().numpy() - placed[..., :2] / placed[..., 2:]) / size
    share = weights.double().numpy()[..., None] / weights.double().numpy().sum(0)[None, :, None]
    mean = (share * missed).sum(0)
    return mean, (share * (missed - mean) ** 2).sum(0)


def test_what_the_network_misses_anyway_is_no_error_of_the_target(keypoints):
    """Offset and deviation of the target's keypoints beyond those of exact keypoints of the same bodies."""
    network = load_backbone("anny-key2mesh", CPU)  # one that looks: a fresh one gives nearly the same for everybody
    seen = network.from_coco(keypoints).clone()
    noise = torch.randn(seen[..., :2].shape, generator=torch.Generator().manual_seed(3))
    seen[..., :2] += 0.03 * person_size(seen[..., :2], seen[..., 2])[:, None, None] * noise
    config = AdaptConfig.model_validate({"batch_size": 24})
    steps = KeypointAugmentation(network, TargetSet(seen, seen[:4], 0.3), config)
    target = steps.target.draw(512, 0, 0)
    with torch.no_grad():
        predicted = steps.backbone.parameters_of(steps.backbone.features(target))
        exact = steps._detect(steps._truth(predicted, steps._cameras(predicted, target)), target, None)
    (mean, variance), (clean_mean, clean_variance) = residuals(steps, target), residuals(steps, exact)
    rows = [row for row, _ in steps.backbone.shared]
    np.testing.assert_allclose(steps.errors.offset[rows], mean - clean_mean, atol=2e-4)
    expected = np.sqrt(np.maximum(variance - clean_variance, 0))
    assert np.abs(clean_mean).max() > 0.01  # or leaving them in would not be seen
    assert np.abs(np.sqrt(variance) - expected).max() > 0.01
    np.testing.assert_allclose(steps.errors.deviation[rows], expected, atol=2e-3)


@pytest.mark.parametrize("kind", ["compact", "key2mesh"])
def test_keypoints_that_are_not_finite_change_nothing(kind, keypoints):
    steps = method(kind, keypoints, errors="none")
    before = {name: value.clone() for name, value in steps.backbone.state_dict().items()}
    assert steps.step(0, None, keypoints * torch.tensor([float("nan"), 1, 1])) is None
    assert all(torch.equal(value, before[name]) for name, value in steps.backbone.state_dict().items())


def test_weights_that_are_no_prior_are_refused_before_any_step(keypoints):
    with pytest.raises(InputError, match="no pose prior"):
        method("compact", keypoints, prior="anny-body")
