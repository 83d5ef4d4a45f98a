"""What is kept of frozen weights must follow every way in which they change; of others nothing is kept."""

import copy

import pytest
import torch
from torch import nn

from pose2mesh.ops import Kept, freeze


class _Counted:
    """Twice the weight plus an option, and how often it was made."""

    def __init__(self) -> None:
        self.count = 0
        self.kept = Kept(self._make)

    def _make(self, weight: torch.Tensor, other: torch.Tensor, add: float) -> torch.Tensor:
        self.count += 1
        return 2 * weight + other + add

    def get(self, layer: nn.Linear, add: float = 1.0) -> torch.Tensor:
        return self.kept.get(layer.weight, layer.bias, add=add)


def _layer() -> nn.Linear:
    """Frozen, and large enough that a look at a few numbers would miss most."""
    torch.manual_seed(0)
    layer = nn.Linear(101, 101)
    freeze(layer)
    return layer


def _by_optimizer(layer: nn.Linear) -> None:
    layer.requires_grad_(True)
    layer.weight.grad = torch.ones_like(layer.weight)
    torch.optim.SGD(layer.parameters(), lr=0.1).step()
    layer.requires_grad_(False)


def _by_other(layer: nn.Linear) -> None:
    with torch.no_grad():
        layer.bias.add_(1)


def _by_data(layer: nn.Linear) -> None:
    layer.weight.data.mul_(0.5)


def _by_data_but_for_the_first(layer: nn.Linear) -> None:
    """As an old-style optimizer does where the first channel is dead."""
    layer.weight.data.view(-1)[1:] += 1


def _by_one_number_of_data(layer: nn.Linear) -> None:
    layer.weight.data[57, 31] += 1e-6


def _by_numpy(layer: nn.Linear) -> None:
    layer.weight.detach().numpy()[3, 99] = 7.0


def _by_sign_of_zero(layer: nn.Linear) -> None:
    layer.weight.detach().numpy()[0, 0] = -0.0


def _by_replacing_data(layer: nn.Linear) -> None:
    layer.weight.data = layer.weight.data + 1


def _by_state(layer: nn.Linear) -> None:
    layer.load_state_dict({name: value + 1 for name, value in layer.state_dict().items()})


@pytest.mark.parametrize(
    "change",
    [
        *(_by_optimizer, _by_other, _by_data, _by_data_but_for_the_first, _by_one_number_of_data, _by_numpy),
        *(_by_sign_of_zero, _by_replacing_data, _by_state),
    ],
)
def test_a_changed_tensor_is_noticed(change) -> None:
    layer, counted = _layer(), _Counted()
    layer.weight.data[0, 0] = 0.0
    for _ in range(3):
        assert torch.equal(counted.get(layer), 2 * layer.weight + layer.bias + 1)
    assert counted.count == 1
    change(layer)
    assert torch.equal(counted.get(layer), 2 * layer.weight + layer.bias + 1)
    assert counted.count == 2


def test_nothing_is_kept_of_what_is_not_frozen() -> None:
    """Never frozen, trained again after it, a copy to be trained, a part that was replaced."""
    fresh = nn.Linear(3, 3)
    thawed = _layer().requires_grad_(True)
    twin = copy.deepcopy(_layer())
    patched = _layer()
    patched.bias = nn.Parameter(torch.zeros(101), requires_grad=False)
    for layer in (fresh, thawed, twin, patched):
        counted = _Counted()
        for _ in range(3):
            counted.get(layer)
        assert counted.count == 3 and len(counted.kept._made) == 0


def test_freezing_ends_training() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    freeze(network)
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_another_option_is_noticed() -> None:
    layer, counted = _layer(), _Counted()
    torch.testing.assert_close(counted.get(layer, 1.0), 2 * layer.weight + layer.bias + 1)
    torch.testing.assert_close(counted.get(layer, 5.0), 2 * layer.weight + layer.bias + 5)


def test_another_type_and_a_copy_are_other_tensors() -> None:
    layer, counted = _layer(), _Counted()
    counted.get(layer)
    twin = copy.deepcopy(layer)
    with torch.no_grad():
        twin.weight.add_(1)
    torch.testing.assert_close(counted.get(twin), 2 * twin.weight + twin.bias + 1)
    assert counted.get(layer.double()).dtype == torch.float64


def test_what_inference_mode_made_serves_training() -> None:
    layer, counted = _layer(), _Counted()
    with torch.inference_mode():
        counted.get(layer)
    kept = counted.get(layer)
    assert counted.count == 1
    assert not kept.is_inference()
    assert not kept.requires_grad


def test_nothing_outlives_its_tensor() -> None:
    counted = _Counted()
    counted.get(_layer())
    assert len(counted.kept._made) == 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (1000, 7)])
@pytest.mark.parametrize("is_strided", [False, True])
def test_numbers_of_every_type_and_count(dtype: torch.dtype, shape: tuple[int, ...], is_strided: bool) -> None:
    numbers = torch.ones((*shape, 2), dtype=dtype)[..., 0] if is_strided else torch.ones(shape, dtype=dtype)
    module = nn.ParameterList([nn.Parameter(numbers)])
    freeze(module)
    kept, parameter = Kept(lambda p: p * 2), module[0]
    value = kept.get(parameter)
    assert kept.get(parameter) is value
    parameter.data.mul_(3)
    assert torch.equal(kept.get(parameter), parameter * 2)
