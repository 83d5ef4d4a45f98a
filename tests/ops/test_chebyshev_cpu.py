"""The CPU backends, compiled and plain, give what the reference gives, values and gradients.

Tolerances: float64 agrees to 1e-14 of the largest value (measured on networks), float32 to 1e-6 per layer.
"""

import copy

import pytest
import scipy.sparse as sp
import torch
from test_chebyshev_reference import SCALINGS, ring_with_chords, scaled_laplacian

from pose2mesh.ops import SparseOperator, Upsampling, chebyshev_conv, native
from pose2mesh.ops.chebyshev import cpu, plain, reference
from pose2mesh.ops.chebyshev.layer import GraphLayer

COMPILED = pytest.param(
    cpu,
    id="compiled",
    marks=pytest.mark.skipif(not native.is_available(), reason="no compiled kernels: pose2mesh build-kernels"),
)
BACKENDS = [COMPILED, pytest.param(plain, id="plain")]
ORDERS = (1, 2, 3, 4, 5)
# batch, nodes, channels in, channels out: odd sizes, single ones, several tiles (compiled ones have 160 rows)
SHAPES = [(1, 5, 1, 1), (3, 17, 7, 5), (2, 33, 4, 70), (1, 401, 9, 19), (5, 6, 35, 1)]


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


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("has_all", [False, True])
def test_values_with_and_without_gradient(backend, order, shape, has_all):
    operator = operator_of(shape[1], "paper" if has_all else "unit")
    x, weight, bias, residual = arguments_of(shape, order)
    scale = torch.rand(shape[3]) + 0.5
    options = {"activation": "relu", "residual": residual, "scale": scale} if has_all else {}
    arguments = (x, operator, weight, bias if has_all else None)
    expected = reference.convolve(GraphLayer(*arguments, **options))
    copies = [t.clone() for t in (x, weight, bias, residual)]
    close = {"rtol": 1e-4, "atol": 1e-4}  # values reach 50 at K = 5
    torch.testing.assert_close(backend.convolve(GraphLayer(*arguments, **options)), expected, **close)
    with torch.inference_mode():
        torch.testing.assert_close(backend.convolve(GraphLayer(*arguments, **options)), expected, **close)
    for before, after in zip(copies, (x, weight, bias, residual), strict=True):
        assert torch.equal(before, after)  # the work in place is on the result alone


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("shape", SHAPES[1:4])
def test_gradients(backend, order, scaling, shape):
    operator = operator_of(shape[1], scaling)
    arguments = [t.requires_grad_() for t in arguments_of(shape, order, torch.float64)]
    x, weight, bias, residual = arguments
    arguments.append((torch.rand(shape[3], dtype=torch.float64) + 0.5).requires_grad_())
    results = []
    for module in (reference, backend):
        y = module.convolve(
            GraphLayer(x, operator, weight, bias, activation="relu", residual=residual, scale=arguments[-1])
        )
        results.append(torch.autograd.grad(y.pow(3).sum(), arguments))
    for theirs, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9 * theirs.abs().max().item())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("order", [1, 2, 3])
def test_gradcheck(backend, order):
    operator = operator_of(7)
    inputs = tuple(t.requires_grad_() for t in arguments_of((2, 7, 3, 2), order, torch.float64))
    assert torch.autograd.gradcheck(
        lambda x, w, b, r: backend.convolve(GraphLayer(x, operator, w, b, activation="relu", residual=r)), inputs
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize(("coarse", "fine"), [(4, 7), (300, 411)])
def test_values_of_a_coarser_graph(backend, order, coarse, fine):
    """The weights come before the upsampling; the values are those of the upsampling first."""
    operator = operator_of(fine)
    parents = torch.cat([torch.arange(coarse), torch.arange(fine - coarse)]).sort().values  # one or two children
    upsampling = Upsampling(parents, coarse)
    x, weight, bias, _ = arguments_of((3, coarse, 5, 4), order, torch.float64)
    residual = torch.randn(3, coarse, 4, dtype=torch.float64)
    tensors = [t.requires_grad_() for t in (x, weight, bias, residual)]
    results = []
    for module in (reference, backend):
        y = module.convolve(GraphLayer(x, operator, weight, bias, residual=residual, upsampling=upsampling))
        results.append((y, *torch.autograd.grad(y.pow(3).sum(), tensors)))
        with torch.no_grad():
            again = module.convolve(GraphLayer(x, operator, weight, bias, residual=residual, upsampling=upsampling))
        torch.testing.assert_close(again, y)
    for theirs, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9 * theirs.abs().max().item())


@pytest.mark.parametrize("backend", BACKENDS)
def test_half_precision_and_strided_inputs(backend):
    operator = operator_of(13)
    x, weight, bias, _ = arguments_of((3, 13, 4, 6), 3)
    strided = x.transpose(0, 1).contiguous().transpose(0, 1)
    expected = reference.convolve(GraphLayer(x.bfloat16().float(), operator, weight, bias))
    with torch.no_grad():
        got = backend.convolve(GraphLayer(strided.bfloat16(), operator, weight, bias))
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_no_number_stays_none(backend):
    x, weight, bias, _ = arguments_of((1, 6, 2, 20), 3)
    x[0, 0, 0] = torch.nan
    with torch.no_grad():
        y = backend.convolve(GraphLayer(x, operator_of(6), weight, bias, activation="relu"))
    assert y[0, 0].isnan().all()


@pytest.mark.parametrize("write", ["in place", "through .data", "by loading"])
def test_a_changed_weight_is_noticed(write):
    operator, layer = operator_of(9), torch.nn.Linear(12, 5)
    x = torch.randn(2, 9, 4)
    with torch.no_grad():
        cpu.convolve(GraphLayer(x, operator, layer.weight))
        if write == "in place":
            layer.weight.mul_(2)
        elif write == "through .data":
            layer.weight.data.mul_(2)
        else:
            layer.load_state_dict({"weight": torch.randn(5, 12), "bias": torch.zeros(5)})
        got = cpu.convolve(GraphLayer(x, operator, layer.weight))
        torch.testing.assert_close(got, reference.convolve(GraphLayer(x, operator, layer.weight)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_training_after_inference_with_the_same_operator(backend):
    operator = operator_of(11)
    x, weight, bias, _ = arguments_of((2, 11, 3, 4), 3)
    with torch.inference_mode():
        backend.convolve(GraphLayer(x, operator, weight, bias))
        operator.matmul(x)
    weight.requires_grad_()
    backend.convolve(GraphLayer(x.requires_grad_(), operator, weight, bias)).sum().backward()
    operator.matmul(x).sum().backward()
    assert torch.isfinite(weight.grad).all() and torch.isfinite(x.grad).all()


@pytest.mark.skipif(not native.is_available(), reason="no compiled kernels: pose2mesh build-kernels")
def test_the_compiled_kernels_give_the_same_with_any_number_of_threads():
    operator = operator_of(700)
    x, weight, bias, _ = arguments_of((3, 700, 33, 40), 3)
    threads, results = torch.get_num_threads(), []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            with torch.no_grad():
                results.append(cpu.convolve(GraphLayer(x, operator, weight, bias, activation="relu")))
    finally:
        torch.set_num_threads(threads)
    torch.testing.assert_close(*results, rtol=1e-6, atol=1e-5)


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


def test_chebyshev_conv_takes_the_compiled_kernels_on_the_cpu(monkeypatch):
    monkeypatch.delenv("POSE2MESH_BACKEND", raising=False)
    operator = operator_of(5)
    x, weight, bias, _ = arguments_of((1, 5, 2, 3), 2)
    torch.testing.assert_close(
        chebyshev_conv(x, operator, weight, bias), cpu.convolve(GraphLayer(x, operator, weight, bias))
    )
