"""Learning rates, weight decay and the running average of the weights."""

import itertools
import math

import pytest
import torch
from torch import nn

from pose2mesh.training.config import StageConfig
from pose2mesh.training.optimization import Average, descend, learning_rate, make_optimizer


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


def average_of(model: nn.Module, decay: float, value: float) -> Average:
    """An average in which every weight is `value`."""
    average = Average(model, decay)
    for weight in average.weights.values():
        weight.fill_(value)
    return average


def test_average_of_a_constant_is_the_constant_at_once() -> None:
    """Weights start at random; their average must not remember that."""
    model = nn.Linear(2, 2)
    average = average_of(model, 0.999, 9.0)
    average.update(step=0)
    for name, value in model.state_dict().items():
        assert torch.equal(average.weights[name], value)


def test_average_forgets_by_the_decay_late_and_faster_early() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)

    def moved(step: int, decay: float) -> float:
        average = average_of(model, decay, 0.0)
        average.update(step)
        return average.weights["weight"].item()

    assert moved(8_000_000, 0.99) == pytest.approx(1 - 0.99**8)  # eight steps at once
    assert moved(800, 0.999999) == pytest.approx(8 / 88)  # a memory of a tenth of 800 steps
    assert moved(801, 0.99) == 0  # only every eighth step


@pytest.mark.parametrize("steps", [1, 2, 5, 8, 9, 15, 40, 64, 65, 71, 72, 100, 1000])
def test_average_of_a_stage_is_about_its_last_tenth(steps: int) -> None:
    """Weights that count the steps tell how old the average is."""
    model = nn.Linear(1, 1, bias=False)
    average = average_of(model, 0.9999, -99.0)
    for step in range(steps):
        nn.init.constant_(model.weight, step)
        average.update(step)
    age = steps - 1 - average.weights["weight"].item()
    assert 0.05 * (steps - 1) <= age <= 0.2 * steps


def test_average_copies_counters() -> None:
    model = nn.BatchNorm1d(2)
    average = Average(model, 0.9)
    model(torch.randn(4, 2))
    average.update(step=8)
    assert average.weights["num_batches_tracked"].item() == 1


def test_without_an_average_every_step_counts() -> None:
    model = nn.Linear(2, 2)
    for step in range(10):
        average = average_of(model, 0, 0.0)
        average.update(step)
        assert torch.equal(average.weights["weight"], model.weight)


def test_the_network_wears_the_average_for_a_while() -> None:
    model = nn.Linear(2, 2).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with average_of(model, 0.9, 3.0).in_place() as worn:
        assert not worn.training and worn(torch.ones(1, 2)).tolist() == [[9.0, 9.0]]
    assert model.training and all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def sgd(*values: float) -> tuple[list[nn.Parameter], list[torch.optim.Optimizer]]:
    """One weight and one optimizer of rate 1 for each value."""
    weights = [nn.Parameter(torch.tensor([value])) for value in values]
    return weights, [torch.optim.SGD([weight], lr=1.0) for weight in weights]


def test_gradients_are_clipped_for_each_optimizer() -> None:
    """The slopes are 30 and 0.25: the first is cut to the norm of 1, the second stays."""
    (steep, flat), optimizers = sgd(5.0, 5.0)
    assert descend((30 * steep + 0.25 * flat).sum(), optimizers, clip_norm=1.0)
    assert steep.item() == pytest.approx(4.0, abs=1e-5) and flat.item() == pytest.approx(4.75)


@pytest.mark.parametrize("bad", ["loss", "gradient"])
def test_nothing_moves_where_one_thing_is_not_finite(bad: str) -> None:
    (first, second), optimizers = sgd(0.0, 2.0)
    loss = second.sum() + (first.sum() + torch.nan if bad == "loss" else first.square().sum().sqrt() * second.sum())
    assert not descend(loss, optimizers, clip_norm=1.0)
    assert (first.item(), second.item()) == (0.0, 2.0)
    assert descend((first + second).sum(), optimizers, clip_norm=10.0)  # what was not finite is not remembered
    assert (first.item(), second.item()) == (-1.0, 1.0)
