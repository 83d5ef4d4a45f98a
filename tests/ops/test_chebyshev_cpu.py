"""The CPU backend gives what the reference gives, values and gradients."""

import copy

import pytest
import scipy.sparse as sp
import torch
from test_chebyshev_reference import SCALINGS, ring_with_chords, scaled_laplacian

from pose2mesh.errors import InputError
from pose2mesh.ops import SparseOperator
from pose2mesh.ops.chebyshev import cpu, reference

ORDERS = (1, 2, 3, 4, 5)
# batch, nodes, channels in, channels out: odd sizes, one node more than a power of two, single ones
SHAPES = [(1, 5, 1, 1), (3, 17, 7, 5), (2, 33, 4, 9), (5, 6, 3, 1)]


def operator_of(nodes: int, scaling: str = "unit") -> SparseOperator:
    return SparseOperator.from_scipy(scaled_laplacian(ring_with_chords(nodes), scaling)[0])


def arguments_of(shape, order, dtype=torch.float32):
    """x, weight, bias and residual, drawn from the seed of the test."""
    batch, nodes, channels_in, channels_out = shape
    sizes = (
        (batch, nodes, channels_in),
        (channels_out, channels_in * order),
        (channels_out,),
        (batch, nodes, channels_out),
    )
    return [torch.randn(size, dtype=dtype) for size in sizes]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("epilogue", [(None, False, False), ("relu", True, True), (None, True, True)])
def test_values_with_and_without_gradient(order, scaling, shape, epilogue):
    operator = operator_of(shape[1], scaling)
    activation, has_bias, has_residual = epilogue
    x, weight, bias, residual = arguments_of(shape, order)
    arguments = (x, operator, weight, bias if has_bias else None)
    options = {"activation": activation, "residual": residual if has_residual else None}
    expected = reference.chebyshev_conv(*arguments, **options)
    copies = [t.clone() for t in (x, weight, bias, residual)]
    close = {"rtol": 1e-4, "atol": 1e-4}  # values reach 50 at K = 5
    torch.testing.assert_close(cpu.chebyshev_conv(*arguments, **options), expected, **close)
    with torch.inference_mode():
        torch.testing.assert_close(cpu.chebyshev_conv(*arguments, **options), expected, **close)
    for before, after in zip(copies, (x, weight, bias, residual), strict=True):
        assert torch.equal(before, after)  # the work in place is on the result alone


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients(order, scaling, shape):
    operator = operator_of(shape[1], scaling)
    arguments = [t.requires_grad_() for t in arguments_of(shape, order, torch.float64)]
    x, weight, bias, residual = arguments
    results = []
    for backend in (reference, cpu):
        y = backend.chebyshev_conv(x, operator, weight, bias, activation="relu", residual=residual)
        results.append(torch.autograd.grad(y.pow(3).sum(), arguments))
    for theirs, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_gradcheck(order):
    operator = operator_of(7)
    inputs = tuple(t.requires_grad_() for t in arguments_of((2, 7, 3, 2), order, torch.float64))
    assert torch.autograd.gradcheck(
        lambda x, w, b, r: cpu.chebyshev_conv(x, operator, w, b, activation="relu", residual=r), inputs
    )


def test_an_operator_that_is_not_symmetric():
    """The joint sets' and meshes' Laplacians are symmetric; the gradient does not rely on it."""
    matrix = sp.random(9, 9, density=0.4, rng=3, format="csr")
    operator = SparseOperator.from_scipy(matrix)
    inputs = tuple(t.requires_grad_() for t in arguments_of((2, 9, 2, 3), 3, torch.float64)[:3])
    assert torch.autograd.gradcheck(lambda x, w, b: cpu.chebyshev_conv(x, operator, w, b), inputs)


def test_a_node_major_input_that_is_not_contiguous():
    operator = operator_of(13)
    x, weight, bias, _ = arguments_of((3, 13, 4, 6), 3)
    strided = x.transpose(0, 1).contiguous().transpose(0, 1)
    with torch.no_grad():
        got = cpu.chebyshev_conv(strided, operator, weight, bias)
    torch.testing.assert_close(got, reference.chebyshev_conv(x, operator, weight, bias), rtol=1e-4, atol=1e-5)


def test_training_after_inference_with_the_same_operator():
    operator = operator_of(11)
    x, weight, bias, _ = arguments_of((2, 11, 3, 4), 3)
    with torch.inference_mode():
        cpu.chebyshev_conv(x, operator, weight, bias)
        operator.matmul(x)
    weight.requires_grad_()
    cpu.chebyshev_conv(x.requires_grad_(), operator, weight, bias).sum().backward()
    operator.matmul(x).sum().backward()
    assert torch.isfinite(weight.grad).all() and torch.isfinite(x.grad).all()


def test_what_an_operator_keeps_follows_its_buffers():
    operator = SparseOperator.from_scipy(sp.identity(3, format="csr"), persistent=True)
    x = torch.ones(1, 3, 1)
    assert operator.matmul(x).sum() == 3 and operator.matmul(x.double()).sum() == 3
    doubled = SparseOperator.from_scipy(2 * sp.identity(3, format="csr"), persistent=True)
    operator.load_state_dict(doubled.state_dict())
    assert operator.matmul(x).sum() == 6 and operator.matmul(x.double()).sum() == 6
    duplicate = copy.deepcopy(operator)
    duplicate.load_state_dict(SparseOperator.from_scipy(sp.identity(3), persistent=True).state_dict())
    assert duplicate.matmul(x).sum() == 3 and operator.matmul(x).sum() == 6
    assert operator.to("cpu").matmul(x).sum() == 6


def test_bad_arguments_are_refused():
    operator = operator_of(5)
    x, weight, _, _ = arguments_of((1, 5, 2, 3), 2)
    with pytest.raises(InputError, match=r"does not fit x"):
        cpu.chebyshev_conv(x, operator, weight[:, :3])
    with pytest.raises(InputError, match="'gelu'"):
        cpu.chebyshev_conv(x, operator, weight, activation="gelu")
