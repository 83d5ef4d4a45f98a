import pytest
import torch

from pose2mesh.networks.posenet import PoseNet


def restated(state: dict[str, torch.Tensor], pose: torch.Tensor, training: bool) -> torch.Tensor:
    """The network written as formulas over its state, without dropout."""

    def linear(name: str, x: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bi,oi->bo", x, state[f"{name}.weight"]) + state[f"{name}.bias"]

    def norm_relu(name: str, x: torch.Tensor) -> torch.Tensor:
        mean = x.mean(0) if training else state[f"{name}.running_mean"]
        variance = x.var(0, correction=0) if training else state[f"{name}.running_var"]
        x = (x - mean) / (variance + 1e-5) ** 0.5 * state[f"{name}.weight"] + state[f"{name}.bias"]
        return x.clamp(min=0)

    x = linear("w1", pose.reshape(len(pose), -1))
    for stage in ("linear_stages.0", "linear_stages.1"):
        y = linear(f"{stage}.w1", norm_relu(f"{stage}.batch_norm1", x))
        x = x + linear(f"{stage}.w2", norm_relu(f"{stage}.batch_norm2", y))
    return linear("w2", x).reshape(len(pose), -1, 3)


def random_posenet(**options) -> PoseNet:
    """Batch norms with statistics and weights that are not the initial zeros and ones."""
    network = PoseNet(5, width=12, **options).double()
    for name, value in network.state_dict().items():
        if "norm" in name and value.is_floating_point():
            value.copy_(torch.rand_like(value) + 0.5)
    return network


@pytest.mark.parametrize("training", [False, True])
def test_matches_the_restatement(training):
    network = random_posenet(dropout=0.0).train(training)
    pose = torch.randn(7, 5, 2, dtype=torch.float64)
    expected = restated(network.state_dict(), pose, training)
    torch.testing.assert_close(network(pose), expected)


def test_dropout_acts_in_training_only():
    network = random_posenet(dropout=0.5)
    pose = torch.randn(7, 5, 2, dtype=torch.float64)
    assert not torch.equal(network(pose), network(pose))
    network.eval()
    assert torch.equal(network(pose), network(pose))


@pytest.mark.parametrize(("joints", "parameters"), [(17, 67_518_515), (19, 67_559_481)])
def test_parameter_counts_of_the_published_networks(joints, parameters):
    with torch.device("meta"):
        network = PoseNet(joints)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def test_the_keys_are_those_of_the_published_checkpoints():
    norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    expected = {f"batch_norm1.{name}" for name in norm}
    expected |= {f"{layer}.{name}" for layer in ("w1", "w2") for name in ("weight", "bias")}
    for stage in ("linear_stages.0", "linear_stages.1"):
        expected |= {f"{stage}.{layer}.{name}" for layer in ("w1", "w2") for name in ("weight", "bias")}
        expected |= {f"{stage}.{layer}.{name}" for layer in ("batch_norm1", "batch_norm2") for name in norm}
    assert set(PoseNet(5, width=4).state_dict()) == expected


def test_every_parameter_that_learns_gets_a_gradient():
    network = random_posenet()
    network(torch.randn(4, 5, 2, dtype=torch.float64)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters() if parameter.requires_grad)


def test_bfloat16_autocast_returns_float32_coordinates():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert PoseNet(5, width=8).eval()(torch.randn(2, 5, 2)).dtype == torch.float32
