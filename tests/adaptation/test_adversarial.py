"""Losses of the adversarial adaptation by value, against formulas written out in NumPy."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from tiny_network import tiny_settings

from pose2mesh.adaptation import adversarial
from pose2mesh.adaptation.adversarial import AdversarialAdaptation
from pose2mesh.adaptation.backbones import backbone_of
from pose2mesh.adaptation.config import AdaptConfig
from pose2mesh.adaptation.method import reprojection_loss
from pose2mesh.adaptation.target import TargetSet
from pose2mesh.augmentation.figures import figure_pool
from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints import build_network
from pose2mesh.losses.targets import Batch
from pose2mesh.synthesis.bodies import SyntheticBodies, seeded_generator
from pose2mesh.synthesis.mixture import Mixture

CPU, COUNT = torch.device("cpu"), 6


@pytest.fixture(scope="module")
def batches() -> list[Batch]:
    samples = SyntheticBodies(load_anny_body(), figure_pool(), Mixture(), vertex_ids=[0], batch_size=COUNT)
    return [samples[0], samples[1]]


def adaptation(target: torch.Tensor, **settings) -> AdversarialAdaptation:
    """With features that have moved from the source's already."""
    torch.manual_seed(0)
    network = {**tiny_settings(), "kind": "key2mesh", "parameters": {"features": "residual", "dropout": 0.2}}
    backbone = backbone_of(build_network(network), network)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in backbone.trainable():
            weight += 0.05 * torch.randn(weight.shape, generator=generator)
    key2mesh = {"hidden": 16, "critic_steps": 1, "supervision": 0.0, **settings}
    config = AdaptConfig.model_validate({"batch_size": COUNT, "key2mesh": key2mesh})
    return AdversarialAdaptation(backbone, TargetSet(target, target[:2], 0.3), config)


def losses_of(method: AdversarialAdaptation, batches: list[Batch], monkeypatch) -> tuple[list[float], list[list]]:
    """What a step descends on, with which optimizers; nothing moves."""
    losses, optimizers = [], []

    def note(loss: torch.Tensor, of: list, clip_norm: float) -> bool:
        losses.append(loss.item())
        optimizers.append(list(of))
        return True

    monkeypatch.setattr(adversarial, "descend", note)
    assert method.step(3, batches[0], batches[1].keypoints) is not None
    return losses, optimizers


def scores(method: AdversarialAdaptation, batches: list[Batch]) -> tuple[np.ndarray, np.ndarray, float, float]:
    """The critic's of source and target features, mean square of how far features moved, re-projection error."""
    backbone, keypoints = method.backbone, batches[1].keypoints
    with torch.no_grad():
        frozen = backbone.source.features(batches[0].keypoints)
        adapted = backbone.extractor.features(keypoints)
        moved = backbone.extractor.features(batches[0].keypoints) - frozen
        weights = keypoints[..., 2] * (keypoints[..., 2] >= 0.3)
        reprojection = reprojection_loss(backbone, adapted, keypoints, weights).item()
        return (
            *(method.critic(features).double().numpy() for features in (frozen, adapted)),
            float((moved.double() ** 2).mean()),
            reprojection,
        )


def softplus(x: np.ndarray) -> np.ndarray:
    return np.log1p(np.exp(x))


def penalty(method: AdversarialAdaptation, batches: list[Batch]) -> float:
    """Slopes by finite differences in float64, at the points that the generator of step 3 draws."""
    critic = method.critic.double()
    with torch.no_grad():
        frozen = method.backbone.source.features(batches[0].keypoints).double()
        adapted = method.backbone.extractor.features(batches[1].keypoints).double()
        share = torch.rand(COUNT, 1, generator=seeded_generator(0, 11, 3)).double()
        points, step = frozen + share * (adapted - frozen), 1e-6

        def score(x: torch.Tensor) -> torch.Tensor:
            return critic.layers(x)[:, 0]

        slopes = [
            (score(points + step * axis) - score(points - step * axis)) / (2 * step)
            for axis in torch.eye(points.shape[1], dtype=torch.float64)
        ]
        lengths = torch.stack(slopes).norm(dim=0)  # [B]
    method.critic.float()
    return float(((lengths - 1) ** 2).mean())


def rest(moved: float, reprojection: float) -> float:
    """Of the extractor's loss, as the released configuration weighs it."""
    return 20 * moved + 10 * reprojection


def test_wasserstein_with_gradient_penalty(batches: list[Batch], monkeypatch) -> None:
    """The critic rates the source's features higher; the extractor makes the target's rate high."""
    method = adaptation(batches[1].keypoints)
    real, fake, moved, reprojection = scores(method, batches)
    expected = fake.mean() - real.mean() + 50 * penalty(method, batches)
    losses, optimizers = losses_of(method, batches, monkeypatch)
    assert losses[0] == pytest.approx(expected, rel=1e-3)
    assert losses[1] == pytest.approx(-0.1 * fake.mean() + rest(moved, reprojection), rel=1e-4)
    assert losses[1] - rest(moved, reprojection) == pytest.approx(-0.1 * fake.mean(), rel=0.05)  # its small part
    assert abs(fake.mean()) > 1e-3 and moved > 1e-5  # or a sign and a term would not be seen
    assert optimizers == [[method.critic_optimizer], [method.optimizer]]


def test_the_penalty_is_not_all_there_is(batches: list[Batch], monkeypatch) -> None:
    method = adaptation(batches[1].keypoints, gradient_penalty=0.0)
    real, fake, *_ = scores(method, batches)
    assert losses_of(method, batches, monkeypatch)[0][0] == pytest.approx(fake.mean() - real.mean(), rel=1e-4)


@pytest.mark.parametrize(
    ("kind", "of_critic", "of_extractor"),
    [
        ("bce", lambda r, f: softplus(-r).mean() + softplus(f).mean(), lambda r, f: softplus(-f).mean()),
        ("gradient_reversal", None, lambda r, f: softplus(-r).mean() + softplus(f).mean()),
        ("none", None, lambda r, f: 0.0),
    ],
)
def test_other_critics(
    batches: list[Batch], monkeypatch, kind: str, of_critic: Callable | None, of_extractor: Callable
) -> None:
    method = adaptation(batches[1].keypoints, critic=kind)
    real, fake, moved, reprojection = scores(method, batches)
    losses, optimizers = losses_of(method, batches, monkeypatch)
    expected = [] if of_critic is None else [of_critic(real, fake)]
    expected.append(0.1 * of_extractor(real, fake) + rest(moved, reprojection))
    assert losses == pytest.approx(expected, rel=1e-4)
    together = [method.optimizer, method.critic_optimizer] if kind == "gradient_reversal" else [method.optimizer]
    assert optimizers[-1] == together
