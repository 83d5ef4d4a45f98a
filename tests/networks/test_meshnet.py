from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from numpy.polynomial.chebyshev import cheb2poly

from pose2mesh.errors import InputError
from pose2mesh.networks.meshnet import BODY_PLAN, HAND_PLAN, MeshNet

JOINTS = 6
PLANS = {"body": BODY_PLAN, "hand": HAND_PLAN}
# A plan of the same form with other widths, so that small numbers suffice: 3 levels.
SMALL_PLAN = ((5, 4, 3), (3, 4, 7), (7, 7, 7), (7, 6, 2), (2, 5, 3))


def random_operators(plan, coarse: int = 2) -> tuple[sp.csr_matrix, list[sp.csr_matrix], np.ndarray]:
    """Symmetric operators with a spectrum in [-1, 1], and the rows of three quarters of the finest nodes."""
    rng = np.random.default_rng(0)
    sizes = [JOINTS, *(coarse * 2**level for level in range(len(plan) - 2))]
    operators = []
    for size in sizes:
        matrix = sp.random(size, size, density=min(1.0, 4 / size), rng=rng)
        matrix = sp.csr_matrix(matrix + matrix.T)
        operators.append(matrix / max(abs(matrix).sum(1).max(), 1e-3))
    inverse = rng.permutation(sizes[-1])[: sizes[-1] * 3 // 4]
    return operators[0], operators[1:], inverse


def random_meshnet(plan) -> MeshNet:
    network = MeshNet(*random_operators(plan), plan).double()
    for name, value in network.state_dict().items():
        if value.is_floating_point() and (name.startswith("bn") or name.endswith("bias")):
            value.copy_(torch.rand_like(value) + 0.5)
    return network


def restated(state: dict, x: np.ndarray, plan, training: bool) -> np.ndarray:
    """MeshNet with dense matrices, numpy and polynomials in powers of the operator."""
    joint_operator, level_operators, inverse = random_operators(plan)
    dense = [m.toarray().astype(np.float32).astype(float) for m in (joint_operator, *level_operators)]
    state = {name: value.numpy() for name, value in state.items()}
    layer = 0
    for block, widths in enumerate(plan):
        graph = dense[min(block, len(dense) - 1)]
        entering = x
        for fan_in, fan_out in pairwise(widths):
            x = dense_convolution(x, graph, state[f"cl.{layer}.weight"].reshape(fan_out, fan_in, 3))
            x = x + state[f"cl.{layer}.bias"]
            if (block, fan_out) != (len(plan) - 1, widths[-1]):
                x = norm_relu(x, {key: state[f"bn.{layer}.{key}"] for key in NORM_KEYS}, training)
            layer += 1
        if block == 0:
            x = x.reshape(len(x), -1) @ state["fc.weight"].T + state["fc.bias"]
            x = x.reshape(len(x), len(dense[1]), -1)
        elif block < len(plan) - 1:
            x = x + resized(entering, x.shape[-1])
            x = np.repeat(x, 2, axis=1) if block < len(plan) - 2 else x
    return x[:, inverse]


NORM_KEYS = ("weight", "bias", "running_mean", "running_var")


def dense_convolution(x: np.ndarray, graph: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """[B, N, C] by weight [C', C, K]."""
    powers = [np.linalg.matrix_power(graph, p) for p in range(3)]
    polynomials = [sum(c * powers[p] for p, c in enumerate(cheb2poly([0] * k + [1]))) for k in range(3)]
    return sum(polynomials[k] @ x @ weight[:, :, k].T for k in range(3))


def norm_relu(x: np.ndarray, norm: dict, training: bool) -> np.ndarray:
    mean = x.mean((0, 1)) if training else norm["running_mean"]
    variance = x.var((0, 1)) if training else norm["running_var"]
    return np.maximum((x - mean) / np.sqrt(variance + 1e-5) * norm["weight"] + norm["bias"], 0)


def resized(x: np.ndarray, width: int) -> np.ndarray:
    """Channels at the centers of `width` equal cells, linearly between the centers of the old cells."""
    old = np.arange(x.shape[-1]) + 0.5
    new = (np.arange(width) + 0.5) * x.shape[-1] / width
    return np.apply_along_axis(lambda row: np.interp(new, old, row), -1, x)


@pytest.mark.parametrize("training", [False, True])
def test_matches_the_dense_restatement(training):
    network = random_meshnet(SMALL_PLAN).train(training)
    x = torch.randn(3, JOINTS, 5, dtype=torch.float64)
    expected = restated(network.state_dict(), x.numpy(), SMALL_PLAN, training)
    np.testing.assert_allclose(network(x).detach().numpy(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("length", [2, 3, 4, 5, 8, 9])
def test_blocks_of_any_length_keep_their_residual(length):
    """In inference layers take turns in the same memory; what a block begins with must survive all its layers."""
    plan = ((5, 4, 3), (3, 4, 7), (7,) * (length + 1), (7,) * (length + 1), (7, 5, 3))
    network = random_meshnet(plan).eval()
    x = torch.randn(2, JOINTS, 5, dtype=torch.float64)
    with torch.no_grad():
        found = network(x)
    np.testing.assert_allclose(found, restated(network.state_dict(), x.numpy(), plan, False), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_the_published_plans_match_the_dense_restatement(plan):
    network = random_meshnet(plan).eval()
    x = torch.randn(2, JOINTS, 5, dtype=torch.float64)
    expected = restated(network.state_dict(), x.numpy(), plan, False)
    output = network(x).detach().numpy()
    np.testing.assert_allclose(output, expected, rtol=1e-7, atol=1e-9 * np.abs(expected).max())


def test_float32_agrees_with_float64():
    network = random_meshnet(SMALL_PLAN).eval()
    x = torch.randn(2, JOINTS, 5, dtype=torch.float64)
    expected = network(x)
    single = network.float()(x.float())
    assert single.dtype == torch.float32
    assert (single - expected).abs().max() < 1e-5 * expected.abs().max()


@pytest.mark.parametrize(("joints", "parameters"), [(17, 8_784_963), (19, 9_571_395)])
def test_parameter_counts_of_the_published_networks(joints, parameters):
    sizes = [96 * 2**level for level in range(8)]
    operators = [sp.identity(size, format="csr") for size in (joints, *sizes)]
    network = MeshNet(operators[0], operators[1:], np.arange(6890))
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


@pytest.mark.parametrize(("plan", "convolutions"), [(BODY_PLAN, 21), (HAND_PLAN, 15)])
def test_the_keys_are_those_of_the_published_checkpoints(plan, convolutions):
    layers = ["fc", *(f"cl.{i}" for i in range(convolutions))]
    expected = {f"{layer}.{name}" for layer in layers for name in ("weight", "bias")}
    for i in range(convolutions - 1):
        expected |= {f"bn.{i}.{name}" for name in (*NORM_KEYS, "num_batches_tracked")}
    assert set(MeshNet(*random_operators(plan), plan).state_dict()) == expected


def test_the_weights_start_in_the_published_range():
    network = MeshNet(*random_operators(BODY_PLAN))
    for linear in network.cl:
        bound = (2 / (linear.in_features + linear.out_features)) ** 0.5
        assert 0.9 * bound < linear.weight.abs().max() <= bound
        assert (linear.bias == 0).all()


def test_gradients_in_evaluation_match_finite_differences():
    network = random_meshnet(SMALL_PLAN).eval()
    x = torch.randn(2, JOINTS, 5, dtype=torch.float64)
    parameters = list(network.parameters())

    def numeric(parameter: torch.Tensor, step: float = 1e-6) -> float:
        with torch.no_grad():
            parameter.view(-1)[0] += step
            high = network(x).square().sum()
            parameter.view(-1)[0] -= 2 * step
            low = network(x).square().sum()
            parameter.view(-1)[0] += step
        return float((high - low) / (2 * step))

    gradients = torch.autograd.grad(network(x).square().sum(), parameters)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        np.testing.assert_allclose(gradient.view(-1)[0].item(), numeric(parameter), rtol=1e-4, atol=1e-4)


def test_levels_that_do_not_fit_are_refused():
    joint_operator, levels, inverse = random_operators(SMALL_PLAN)
    with pytest.raises(InputError, match="needs 3 levels, got 2"):
        MeshNet(joint_operator, levels[1:], inverse, SMALL_PLAN)
    with pytest.raises(InputError, match="must double"):
        MeshNet(joint_operator, levels[::-1], inverse, SMALL_PLAN)


def test_bfloat16_autocast_returns_float32_vertices():
    network = MeshNet(*random_operators(SMALL_PLAN), SMALL_PLAN)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for mode in (True, False):
            assert network.train(mode)(torch.randn(2, JOINTS, 5)).dtype == torch.float32


def test_training_in_bfloat16_is_near_training_in_float32():
    """Values, gradients and running statistics; what is read in the wrong type is off by powers of ten."""
    operators, x = random_operators(SMALL_PLAN), torch.randn(4, JOINTS, 5)
    results = []
    for enabled in (False, True):
        torch.manual_seed(0)
        network = MeshNet(*operators, SMALL_PLAN).train()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            y = network(x)
        gradients = torch.autograd.grad(y.square().sum(), network.fc.weight)
        results.append([y, *gradients, network.bn[-1].running_var])
    for exact, rounded in zip(*results, strict=True):
        assert (rounded - exact).norm() < 0.3 * exact.norm()


def test_norms_that_train_in_evaluation_see_the_whole_batch(monkeypatch):
    """As in test-time adaptation: no micro-batches then."""
    monkeypatch.setattr("pose2mesh.ops.memory._ROWS", 1)
    network = MeshNet(*random_operators(SMALL_PLAN), SMALL_PLAN).eval()
    for norm in network.bn:
        norm.train()
    x = torch.randn(5, JOINTS, 5)
    expected = network(x).detach()  # with gradients there are no micro-batches
    with torch.no_grad():
        torch.testing.assert_close(network(x), expected)
    assert int(network.bn[0].num_batches_tracked) == 2


@pytest.mark.parametrize("is_global", [False, True])
def test_hooks_see_what_layers_returned(is_global):
    """What a hook keeps is not overwritten later in the call, and it sees the batch, not a part of it."""
    network, seen = random_meshnet(BODY_PLAN).float().eval(), []
    joints = torch.randn(3, JOINTS, 5)

    def keep(module, inputs, output):
        if module in network.resizings:
            seen.append((inputs[0], inputs[0].clone(), output, output.clone()))

    with torch.inference_mode():
        expected = network(joints)
        hooks = [part.register_forward_hook(keep) for part in network.resizings if not is_global]
        if is_global:
            hooks.append(torch.nn.modules.module.register_module_forward_hook(keep))
        try:
            watched = network(joints)
        finally:
            for hook in hooks:
                hook.remove()
    torch.testing.assert_close(watched, expected, rtol=1e-5, atol=1e-6)
    assert len(seen) == len(network.resizings)
    for given, given_then, output, output_then in seen:
        assert len(given) == 3 and torch.equal(given, given_then) and torch.equal(output, output_then)
