"""Learning rates, weight decay and the running average of the weights."""

import itertools
import math

import pytest
import torch
from torch import nn

from pose2mesh.training.config import StageConfig
from pose2mesh.training.optimization import learning_rate, make_optimizer, update_average


def stage(**changes) -> StageConfig:
    return StageConfig.model_validate({"name": "a", "steps": 100, "warmup": 10, "learning_rate": 2.0, **changes})


def test_warm_up_then_half_a_cosine_to_one_percent() -> None:
    rates = [learning_rate(stage(), step) for step in range(100)]
    assert rates[0] == pytest.approx(0.2, rel=1e-3) and rates.index(max(rates)) == 9
    assert rates[50] == pytest.approx(2 * (0.01 + 0.99 * 0.5), rel=1e-6)  # the middle of the cosine
    assert rates[99] == pytest.approx(2 * (0.01 + 0.99 * 0.5 * (1 + math.cos(0.99 * math.pi))))
    assert all(a > b > 0 for a, b in itertools.pairwise(rates[10:]))


def test_steps_drop_to_a_tenth() -> None:
    rates = [learning_rate(stage(schedule="step", warmup=0), step) for step in range(100)]
    assert rates == pytest.approx([2.0] * 80 + [0.2] * 20)


def test_matrices_decay_and_vectors_do_not() -> None:
    model = nn.Linear(3, 2)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer = make_optimizer(stage(weight_decay=0.1, learning_rate=0.5), list(model.parameters()))
    optimizer.step()
    torch.testing.assert_close(model.weight.detach(), before["weight"] * (1 - 0.5 * 0.1))
    assert torch.equal(model.bias.detach(), before["bias"])
    assert isinstance(make_optimizer(stage(optimizer="rmsprop"), list(model.parameters())), torch.optim.RMSprop)


def test_average_of_a_constant_is_the_constant_at_once() -> None:
    """Weights start at random; their average must not remember that."""
    model = nn.Linear(2, 2)
    average = {name: torch.full_like(value, 9.0) for name, value in model.state_dict().items()}
    update_average(average, model, 0.999, step=0)
    for name, value in model.state_dict().items():
        assert torch.equal(average[name], value)


def test_average_forgets_by_the_decay_late_and_faster_early() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)

    def moved(step: int, decay: float) -> float:
        average = {"weight": torch.zeros(1, 1)}
        update_average(average, model, decay, step)
        return average["weight"].item()

    assert moved(8_000_000, 0.99) == pytest.approx(1 - 0.99**8)  # eight steps at once
    assert moved(800, 0.999999) == pytest.approx(8 / 88)  # a memory of a tenth of 800 steps
    assert moved(801, 0.99) == 0  # only every eighth step


def test_average_copies_counters() -> None:
    model = nn.BatchNorm1d(2)
    average = {name: value.clone() for name, value in model.state_dict().items()}
    model(torch.randn(4, 2))
    update_average(average, model, 0.9, step=8)
    assert average["num_batches_tracked"].item() == 1


def test_without_an_average_every_step_counts() -> None:
    model = nn.Linear(2, 2)
    for step in range(10):
        average = {name: torch.zeros_like(value) for name, value in model.state_dict().items()}
        update_average(average, model, 0, step)
        assert torch.equal(average["weight"], model.weight)
