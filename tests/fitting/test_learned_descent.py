"""Learned descent: its start, its gradient against finite differences of a restated error, its steps, its training."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_pack import write_pack
from tiny_run import tiny_run

from pose2mesh.checkpoints import build_network, load_network
from pose2mesh.checkpoints.export import export_network
from pose2mesh.errors import InputError
from pose2mesh.fitting.learned_descent import LearnedDescent
from pose2mesh.settings import load_config
from pose2mesh.training.config import NetworkConfig, TrainConfig
from pose2mesh.training.distributed import Processes
from pose2mesh.training.run_loop import carry_out
from pose2mesh.training.trainer import Trainer, train


def settings_of(**changes) -> dict:
    settings = {"kind": "learned_descent", "lifter": {"width": 32, "blocks": 1}, **changes}
    return NetworkConfig.model_validate(settings).model_dump(mode="json")


def fresh(**changes) -> LearnedDescent:
    torch.manual_seed(0)
    network = build_network(settings_of(**changes))
    assert isinstance(network, LearnedDescent)
    return network.eval()


def people(count: int = 3) -> torch.Tensor:
    """Keypoints [B,17,3] in pixels, one joint of all but the first missing."""
    points = 300 * torch.rand(count, 17, 3, generator=torch.Generator().manual_seed(1)) + 100
    points[..., 2] = torch.rand(count, 17, generator=torch.Generator().manual_seed(2)) / 2 + 0.5
    points[1:, 4, 2] = 0
    return points


def error_of(network: LearnedDescent, state: torch.Tensor, rays: torch.Tensor, confidence: torch.Tensor) -> np.ndarray:
    """The re-projection error [B] restated, in float64: the camera from the normal equations of its linear system."""
    joints = network.decoder.joints(network.parameters_of(state))[:, network.columns].numpy()
    result = []
    for body, ray, weight in zip(joints, rays.numpy(), confidence.numpy(), strict=True):
        rows = [(np.array([1.0 - axis, axis, -r[axis]]), r[axis] * p[2] - p[axis], w)
                for p, r, w in zip(body, ray, weight, strict=True) for axis in (0, 1)]  # fmt: skip
        a, b, w = (np.array(column) for column in zip(*rows, strict=True))
        placed = body + np.linalg.solve(a.T @ (w[:, None] * a), a.T @ (w * b))
        squared = ((placed[:, :2] / placed[:, 2:] - ray) ** 2).sum(1)
        mean = (weight[:, None] * ray).sum(0) / weight.sum()
        size = (weight * ((ray - mean) ** 2).sum(1)).sum() / weight.sum()
        result.append((weight * squared).sum() / weight.sum() / size)
    return np.array(result)


def test_without_proposals_it_stays_where_it_starts():
    network = fresh()
    torch.nn.init.zeros_(network.propose.weight)
    found = network(people())
    assert torch.equal(found.parameters.betas, torch.zeros(3, 16))
    expected = torch.diag(torch.tensor([1.0, -1, -1])).expand(3, 19, 3, 3)  # upright before the camera, y down
    torch.testing.assert_close(found.parameters.rotations, expected)
    assert found.joints[:, 0, 1].max() < -0.3 and found.joints[:, 15:17, 1].min() > 0.5  # nose above, ankles below


def test_the_gradient_is_that_of_finite_differences():
    network = fresh().double()
    generator = torch.Generator().manual_seed(3)
    state = network.start.double() + 0.2 * torch.randn(3, 130, generator=generator).double()
    # A person's joints a little off, before a camera 4 m away: its depth stays within the limits.
    joints = network.decoder.joints(network.parameters_of(network.start.double().expand(3, -1)))[:, :17]
    joints = joints + 0.1 * torch.randn(3, 17, 3, generator=generator).double() + torch.tensor([0.0, 0, 4])
    rays, confidence = joints[..., :2] / joints[..., 2:], people()[..., 2].double()
    slope = fresh().gradient(state, rays, confidence).double()
    for seed in range(5):
        way = 1e-5 * torch.randn(3, 130, generator=torch.Generator().manual_seed(seed)).double()
        ahead, behind = (error_of(network, state + sign * way, rays, confidence) for sign in (1, -1))
        np.testing.assert_allclose((ahead - behind) / 2, (slope * way).sum(1).numpy(), rtol=1e-3, atol=1e-9)


def test_every_step_sees_parameters_and_gradient_and_adds_what_is_proposed():
    network, seen, proposed = fresh(parameters={"steps": 3}), [], []
    network.state.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    network.propose.register_forward_hook(lambda _, __, given: proposed.append(given))
    with torch.inference_mode():
        found = network.descend(people())
    assert len(found) == len(seen) == len(proposed) == 3
    torch.testing.assert_close(seen[0][:, :130], network.start.expand(3, -1))
    for step in (1, 2):
        torch.testing.assert_close(seen[step][:, :130], found[step - 1])
        torch.testing.assert_close(found[step], found[step - 1] + proposed[step])
    assert all(given[:, 130:].norm(dim=1).min() > 1e-3 for given in seen)
    assert (seen[0][:, 130:] - seen[1][:, 130:]).norm() > 1e-3  # the gradient is taken anew


def test_position_size_missing_joints_and_neighbors_do_not_matter():
    network, points = fresh(), people()
    moved = points * torch.tensor([0.002, 0.002, 1]) + torch.tensor([5.0, -2, 0])  # also in focal lengths
    moved[1:, 4, :2] = 7777
    with torch.inference_mode():
        found, other, alone = network(points), network(moved), network(points[1:2])
        joints = network.without_mesh(points)
    torch.testing.assert_close(found.joints, other.joints, atol=2e-4, rtol=0)
    torch.testing.assert_close(found.joints[1:2], alone.joints, atol=1e-5, rtol=0)
    assert torch.equal(joints.joints, found.joints) and joints.vertices.shape == (3, 0, 3)


def test_it_is_not_exported(tmp_path: Path):
    with pytest.raises(InputError, match="a LearnedDescent differentiates while it runs: it cannot be exported"):
        export_network(fresh(), tmp_path / "out.pt2", "torch-export")
    assert not list(tmp_path.iterdir())


def config_of(folder: Path, **changes) -> TrainConfig:
    stages = [{"name": "only", "steps": 40, "batch_size": 16, "learning_rate": 3e-3, "warmup": 5}]
    return TrainConfig.model_validate({**tiny_run(folder), "network": settings_of(), "stages": stages, **changes})


def test_training_lowers_the_error_and_later_steps_are_better(tmp_path: Path):
    validation = write_pack(tmp_path / "validation.npz", {"09_01": 30}, seed=5)
    config = config_of(tmp_path, validation=[str(validation)], validate_every=40)
    trainer = Trainer(config, Processes())
    trainer.begin(0)
    (batch,) = next(trainer.batches(39))  # of the one stream

    def errors(network) -> list[float]:
        with torch.inference_mode():
            bodies = [network.decoder.joints(network.parameters_of(x)) for x in network.descend(batch.keypoints)]
        return [(joints - batch.joints).norm(dim=-1).mean().item() for joints in bodies]

    before = errors(trainer.network)
    _, weights = carry_out(config, partial(Trainer, config))
    after = errors(load_network(weights))
    assert after[-1] < 0.7 * before[-1]
    assert after[-1] < after[0]
    assert "noisy_pa_mpvpe" in (tmp_path / "run" / "validation.jsonl").read_text()


@pytest.mark.parametrize(("changes", "message"), [
    ({"parameters": {"steps": 0}}, "steps"),
    ({"parameters": {"features": "published"}}, "features: kind=learned_descent has none"),
    ({"parameters": {"dropout": 0.5}}, "dropout: kind=learned_descent has none"),
    ({"kind": "key2mesh", "parameters": {"steps": 3}}, "steps: kind=key2mesh has none"),
])  # fmt: skip
def test_settings_that_would_be_ignored_are_refused(tmp_path: Path, changes: dict, message: str):
    with pytest.raises(ValueError, match=message):
        settings_of(**changes)


@pytest.mark.parametrize(("changes", "message"), [
    ({"network": settings_of(joint_set="hand21")}, "hand21 has 0 joints of the body"),
    ({"network": settings_of(body="anny-hand", joint_set="hand21")}, "not on anny-hand"),
    ({"stages": [{"name": "lift", "steps": 1, "lifting_only": True}]}, "stage lift: kind=learned_descent has no"),
])  # fmt: skip
def test_what_does_not_belong_together_is_refused_before_a_step(tmp_path: Path, changes: dict, message: str):
    with pytest.raises(InputError, match=message):
        train(config_of(tmp_path, **changes))
    assert not list(tmp_path.glob("run/*.safetensors"))


def test_the_shipped_recipe_builds_a_network_that_starts_from_shipped_features():
    config = load_config(TrainConfig, "assets/configs/train_learned_descent.yaml", [])
    networks: list[Any] = [build_network(config.network.model_dump(mode="json")), load_network(str(config.initial))]
    ours, theirs = ({k: v.shape for k, v in network.lifter.state_dict().items()} for network in networks)
    assert ours.items() <= theirs.items()  # the latter also has heads
