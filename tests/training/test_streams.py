"""Several streams in one step: gradients, statistics of batch norms, random numbers."""

import copy

import pytest
import torch
from shared_run import STREAMS, Numbers, SmallObjective
from torch import nn

from pose2mesh.training.distributed import Processes
from pose2mesh.training.optimization import descend
from pose2mesh.training.streams import SharedStep

ALONE = Processes()


@pytest.fixture
def batches() -> list[Numbers]:
    torch.manual_seed(3)
    return [Numbers(torch.randn(5, 3) + stream) for stream in range(STREAMS)]


def backward(shared: SharedStep, batches: list[Numbers], *key: int) -> None:
    for loss in shared.losses(batches, *key):
        loss.backward()


def gradients(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.grad for name, p in module.named_parameters() if p.grad is not None}


def test_the_gradient_is_that_of_one_large_batch(batches: list[Numbers]) -> None:
    """Without batch norm and dropout."""
    objective = SmallObjective().eval()
    large = copy.deepcopy(objective)
    backward(SharedStep(objective, STREAMS, ALONE, "float32"), batches, 0)
    large(Numbers(torch.cat([batch.values for batch in batches])))[0].backward()
    found, expected = gradients(objective), gradients(large)
    assert found.keys() == expected.keys() and len(found) == 6
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)


def test_statistics_are_the_mean_of_what_each_stream_leaves(batches: list[Numbers]) -> None:
    objective = SmallObjective()
    left = []
    for batch in batches:
        alone = copy.deepcopy(objective)
        alone(batch)
        left.append(dict(alone.named_buffers()))
    backward(SharedStep(objective, STREAMS, ALONE, "float32"), batches, 0)
    for name, value in objective.named_buffers():
        expected = torch.stack([buffers[name] for buffers in left]).float().mean(0)
        torch.testing.assert_close(value.float(), expected)


def test_statistics_that_no_stream_changes_stay_to_the_bit(batches: list[Numbers]) -> None:
    objective = SmallObjective()
    objective(batches[0])
    objective.eval()
    before = copy.deepcopy(dict(objective.named_buffers()))
    backward(SharedStep(objective, 3, ALONE, "float32"), batches[:3], 0)
    assert all(torch.equal(value, before[name]) for name, value in objective.named_buffers())


def test_what_is_random_depends_on_key_and_stream(batches: list[Numbers]) -> None:
    """Dropout, of the same numbers in every stream."""
    torch.manual_seed(0)
    one = SharedStep(SmallObjective(), STREAMS, ALONE, "float32")
    first, again = ([loss.item() for loss in one.losses([batches[0]] * STREAMS, 1, 2)] for _ in range(2))
    other = [loss.item() for loss in one.losses([batches[0]] * STREAMS, 1, 3)]
    assert first == again and len({*first, *other}) == 2 * STREAMS


def test_parts_are_means_over_streams(batches: list[Numbers]) -> None:
    objective = SmallObjective().eval()
    shared = SharedStep(objective, STREAMS, ALONE, "float32")
    backward(shared, batches, 0)
    expected = sum(objective(batch)[0].item() for batch in batches) / STREAMS
    assert float(shared.parts()["loss"]) == pytest.approx(expected, rel=1e-6)


def test_one_bad_stream_spoils_the_step(batches: list[Numbers]) -> None:
    objective = SmallObjective().eval()
    before = copy.deepcopy(objective.state_dict())
    shared = SharedStep(objective, STREAMS, ALONE, "float32")
    optimizer = torch.optim.SGD(objective.parameters(), lr=0.1)
    batches[1] = Numbers(batches[1].values * torch.nan)
    assert not descend(shared.losses(batches, 0), [optimizer], 1.0)
    assert all(torch.equal(value, before[name]) for name, value in objective.state_dict().items())
