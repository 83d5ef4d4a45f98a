"""What a graph layer is rarely given, and must get right or refuse: odd strides, empty batches, second derivatives."""

import pytest
import torch
from test_chebyshev_cpu import BACKENDS, arguments_of, operator_of
from torch import Tensor
from torch.autograd import forward_ad

from pose2mesh.errors import InputError
from pose2mesh.ops import Upsampling, chebyshev_conv, native, use_backend
from pose2mesh.ops.chebyshev import reference
from pose2mesh.ops.chebyshev.layer import GraphLayer

NAMES = ["cpu", "cpu-torch"]
needs_kernels = pytest.mark.skipif(not native.is_available(), reason="no compiled kernels: pose2mesh build-kernels")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("has_gradient", [False, True])
def test_vectors_of_any_stride(backend, has_gradient: bool) -> None:
    operator = operator_of(17)
    x, weight, _, _ = arguments_of((2, 17, 3, 6), 3)
    bias, scale = torch.arange(12.0)[::2], torch.full((1,), 1.5).expand(6)
    expected = reference.convolve(GraphLayer(x, operator, weight, bias, scale=scale))
    with torch.set_grad_enabled(has_gradient):
        y = backend.convolve(GraphLayer(x, operator, weight.requires_grad_(has_gradient), bias, scale=scale))
    torch.testing.assert_close(y.detach(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("order", [1, 3, 4])
@pytest.mark.parametrize("rows", [6, 3])
def test_no_samples(backend, order: int, rows: int) -> None:
    """As the reference: nothing, and gradients of zero."""
    upsampling = Upsampling(torch.tensor([0, 0, 1, 1, 2, 2]), 3)
    x, weight, bias, _ = (t.requires_grad_() for t in arguments_of((0, rows, 5, 2), order))
    with torch.no_grad():
        y = backend.convolve(GraphLayer(x, operator_of(6), weight, bias, activation="relu", upsampling=upsampling))
    assert y.shape == (0, 6, 2)
    y = backend.convolve(GraphLayer(x, operator_of(6), weight, bias, upsampling=upsampling))
    gradients = torch.autograd.grad(y.sum(), (x, weight, bias))
    assert [g.shape for g in gradients] == [x.shape, weight.shape, bias.shape]
    assert not any(g.any() for g in gradients)


@pytest.mark.parametrize("backend", BACKENDS)
def test_backward_within_autocast(backend) -> None:
    operator = operator_of(17)
    x, weight, bias, _ = (t.requires_grad_() for t in arguments_of((2, 17, 3, 1), 3))
    expected = torch.autograd.grad(
        reference.convolve(GraphLayer(x, operator, weight, bias)).square().sum(), (x, weight)
    )
    with torch.autocast("cpu", torch.bfloat16):
        y = backend.convolve(GraphLayer(x, operator, weight, bias))
        got = torch.autograd.grad(y.square().sum(), (x, weight))
    for ours, theirs in zip(got, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0.02, atol=0.02 * theirs.abs().max().item())


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_of_a_gradient_is_refused_not_wrong(name: str) -> None:
    operator = operator_of(17)
    x, weight, bias, _ = (t.requires_grad_() for t in arguments_of((2, 17, 3, 4), 3))

    def penalty() -> Tensor:
        y = chebyshev_conv(x, operator, weight, bias, activation="relu")
        (slope,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        return slope.square().sum()

    with use_backend("reference"):
        (expected,) = torch.autograd.grad(penalty(), weight)
    assert expected.abs().max() > 1
    with use_backend(name), pytest.raises(InputError, match="no second derivative"):
        penalty()


@needs_kernels
@pytest.mark.filterwarnings("ignore:.*torch.jit", "ignore:Converting a tensor")
def test_tangents_and_traces_are_refused_not_wrong() -> None:
    operator = operator_of(5)
    x, weight, bias, _ = arguments_of((1, 5, 2, 3), 2)
    with forward_ad.dual_level(), torch.no_grad():
        dual = forward_ad.make_dual(x, torch.ones_like(x))
        with pytest.raises((NotImplementedError, RuntimeError)):
            chebyshev_conv(dual, operator, weight, bias, backend="cpu")
    with pytest.raises(InputError, match="cannot be traced"), torch.no_grad():
        torch.jit.trace(lambda x: chebyshev_conv(x, operator, weight, bias, backend="cpu"), x, check_trace=False)


@pytest.mark.parametrize("name", ["weight", "bias", "scale", "residual", "operator"])
def test_tensors_on_another_device(name: str) -> None:
    operator = operator_of(5)
    x, weight, bias, residual = arguments_of((1, 5, 2, 3), 2)
    given = {"weight": weight, "bias": bias, "scale": bias, "residual": residual, "operator": operator}
    given[name] = given[name].to("meta")
    with pytest.raises(InputError, match=f"{name}.* is on meta, x on cpu"):
        chebyshev_conv(x, **given)


@pytest.mark.parametrize("name", ["reference", *NAMES])
def test_the_default_device_is_not_ours(name: str) -> None:
    operator = operator_of(5)
    x, weight, bias, _ = arguments_of((1, 5, 2, 3), 2)
    expected = reference.convolve(GraphLayer(x, operator, weight, bias))
    with torch.device("meta"), torch.no_grad():
        y = chebyshev_conv(x, operator, weight, bias, backend=name)
    torch.testing.assert_close(y, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["reference", *NAMES])
@pytest.mark.parametrize("types", [(torch.bfloat16, torch.bfloat16), (torch.float32, torch.float16)])
def test_half_precisions_are_computed_in_float32(name: str, types) -> None:
    operator = operator_of(5)
    x, weight, bias, _ = arguments_of((1, 5, 2, 3), 2)
    x, weight, bias = x.to(types[0]), weight.to(types[1]), bias.to(types[1])
    expected = reference.convolve(GraphLayer(x.float(), operator, weight.float(), bias.float()))
    y = chebyshev_conv(x, operator, weight, bias, backend=name)
    assert y.dtype == torch.float32
    torch.testing.assert_close(y, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("parents", "nodes"),
    [([0, 2], 3), ([0, 0, 7, 7], 8), ([1, 0, 1], 2), ([0, 1, 2], 4), ([0, 1, 2], 2), ([0, 1, 0], 2), ([1, 1], 2)],
)
def test_an_upsampling_without_children_or_order_is_refused(parents: list[int], nodes: int) -> None:
    with pytest.raises(InputError, match="none left out and never decreasing"):
        Upsampling(torch.tensor(parents), nodes)


@pytest.mark.parametrize(
    ("x", "message"), [(torch.ones(1, 5, 0), r"x has shape \(1, 5, 0\)"), (torch.tensor(1.0), r"x has shape \(\)")]
)
def test_no_channels_and_no_dimensions(x: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        chebyshev_conv(x, operator_of(5), torch.ones(2, 4))
