"""What only a GPU can tell: values, gradients and types of the kernels, repeatability, CUDA graph, benchmark."""

import json

import pytest
import torch
from test_chebyshev_reference import SCALINGS, ring_with_chords, scaled_laplacian

from pose2mesh.networks.captured import CapturedNetwork
from pose2mesh.ops import SparseOperator, Upsampling, chebyshev_conv, use_backend

pytestmark = pytest.mark.gpu

DEVICE = "cuda"
BACKENDS = ("cuda", "cuda-fused")
# batch, nodes, channels in, channels out, K: those of the networks, and odd ones
SHAPES = [(2, 1000, 128, 128, 3), (3, 777, 256, 256, 3), (1, 333, 64, 3, 3), (2, 65, 5, 33, 5), (4, 130, 20, 17, 2)]
TOLERANCES = {torch.float32: 1e-5, torch.bfloat16: 3e-2, torch.float16: 5e-3}  # of the largest value of each tensor


def operator_of(nodes: int, scaling: str = "unit") -> SparseOperator:
    return SparseOperator.from_scipy(scaled_laplacian(ring_with_chords(nodes), scaling)[0]).to(DEVICE)


def tensors_of(shape, dtype=torch.float32) -> list[torch.Tensor]:
    batch, nodes, fan_in, fan_out, order = shape
    sizes = ((batch, nodes, fan_in), (fan_out, fan_in * order), (fan_out,), (batch, nodes, fan_out))
    generator = torch.Generator(DEVICE).manual_seed(0)
    draw = [torch.randn(size, generator=generator, device=DEVICE) for size in sizes]
    draw[1] /= (fan_in * order) ** 0.5
    return [t.to(dtype).requires_grad_() for t in draw]


def run(backend, operator, tensors, **options):
    """Output and gradients, in float64."""
    x, weight, bias, residual = tensors
    y = chebyshev_conv(x, operator, weight, bias, residual=residual, backend=backend, **options)
    gradients = torch.autograd.grad(y.double().square().sum(), tensors)
    return [t.double() for t in (y.detach(), *gradients)]


def difference(ours, theirs) -> float:
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("dtype", TOLERANCES)
def test_values_and_gradients(backend, shape, scaling, dtype):
    operator, tensors = operator_of(shape[1], scaling), tensors_of(shape, dtype)
    exact = [t.detach().double().requires_grad_() for t in tensors]
    # without a ReLU: where it bends, rounding changes whole gradients
    assert difference(run(backend, operator, tensors), run("reference", operator, exact)) <= TOLERANCES[dtype]
    with torch.no_grad():
        y = chebyshev_conv(*tensors[:1], operator, *tensors[1:3], activation="relu", backend=backend)
        expected = chebyshev_conv(*exact[:1], operator, *exact[1:3], activation="relu", backend="reference")
    assert y.dtype == dtype and difference([y.double()], [expected]) <= TOLERANCES[dtype]


@pytest.mark.parametrize("backend", BACKENDS)
def test_gradient_of_the_relu(backend):
    operator, tensors = operator_of(200), tensors_of((2, 200, 32, 48, 3))
    exact = [t.detach().double().requires_grad_() for t in tensors]
    ours, theirs = (run(name, operator, t, activation="relu") for name, t in ((backend, tensors), ("reference", exact)))
    assert difference(ours, theirs) <= 1e-3


def test_gradcheck_in_float64():
    operator, tensors = operator_of(9), tensors_of((2, 9, 3, 2, 3), torch.float64)
    assert torch.autograd.gradcheck(
        lambda x, w, b, r: chebyshev_conv(x, operator, w, b, residual=r, activation="relu", backend="cuda"), tensors
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_tf32_is_coarser_and_only_on_request(backend):
    operator, tensors = operator_of(500), tensors_of((2, 500, 128, 128, 3))
    exact = run("reference", operator, [t.detach().double().requires_grad_() for t in tensors])
    before = torch.backends.cuda.matmul.allow_tf32
    try:
        torch.backends.cuda.matmul.allow_tf32 = True
        coarse = difference(run(backend, operator, tensors), exact)
        torch.backends.cuda.matmul.allow_tf32 = False
        fine = difference(run(backend, operator, tensors), exact)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
    assert fine <= 1e-5 and fine < coarse <= 1e-2


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_run_gives_the_same_bits(backend):
    operator, tensors = operator_of(777), tensors_of((3, 777, 64, 64, 3))
    first = run(backend, operator, tensors, activation="relu")
    assert all(all(map(torch.equal, first, run(backend, operator, tensors, activation="relu"))) for _ in range(5))


@pytest.mark.parametrize("backend", BACKENDS)
def test_values_of_a_coarser_graph(backend):
    upsampling = Upsampling(torch.arange(300) // 2, 150).to(DEVICE)
    operator, (x, weight, bias, residual) = operator_of(300), tensors_of((2, 150, 64, 32, 3))
    options = {"activation": "relu", "residual": residual, "upsampling": upsampling, "scale": bias.detach() + 2}
    for context in (torch.no_grad(), torch.enable_grad()):
        with context:
            ours, theirs = (
                chebyshev_conv(x, operator, weight, bias, backend=name, **options) for name in (backend, "reference")
            )
        assert difference([ours.detach()], [theirs.detach()]) <= 1e-4


def test_auto_takes_the_kernels():
    operator, (x, weight, bias, _) = operator_of(50), tensors_of((2, 50, 16, 16, 3))
    with torch.no_grad():
        results = [chebyshev_conv(x, operator, weight, bias, backend=name) for name in ("auto", "cuda")]
    assert torch.equal(*results)


@torch.no_grad()
def test_a_captured_network_gives_what_the_network_gives():
    from pose2mesh.benchmarks import workloads

    workload = workloads.compact(torch.device(DEVICE))
    network = workload.modules[0].eval()
    captured = CapturedNetwork(network)
    for batch in (1, 3, 1):
        keypoints = workload.make_input(batch)
        with use_backend("cuda"):
            expected, got = network(keypoints), captured(keypoints)
        torch.testing.assert_close(got.vertices, expected.vertices, rtol=0, atol=1e-5)
    assert len(captured._replays) == 2  # else it fell back to plain calls


@torch.no_grad()
def test_a_captured_network_sees_what_is_written_to_its_norms():
    """Folded norms are made inside the graph, not kept from the calls before it."""
    from pose2mesh.benchmarks import workloads

    workload = workloads.classic(torch.device(DEVICE))
    network = workload.modules[0].eval()
    captured, keypoints = CapturedNetwork(network), workload.make_input(1)
    with use_backend("cuda"):
        before = captured(keypoints).vertices
        network.pose2mesh.bn[3].running_mean.add_(1)
        expected, got = network(keypoints).vertices, captured(keypoints).vertices
    assert (got - before).abs().max() > 1e-4
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_benchmark(tmp_path):
    from pose2mesh.cli.main import main

    out = tmp_path / "b.json"
    assert main(["benchmark", "--device", "cuda", "--quick", "--json", str(out)]) == 0
    document = json.loads(out.read_text())
    assert document["machine"]["gpu"] and document["machine"]["driver"]
    paths = {row["path"] for row in document["rows"]}
    assert paths >= {"original", "reference", "cuda", "cuda-fused", "cuda-graph"}
