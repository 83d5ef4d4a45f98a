"""What the interpreted kernels are compared on. A script of its own: triton reads its variable when it is imported."""

import os
import sys

os.environ["TRITON_INTERPRET"] = "1"

import torch
from test_chebyshev_reference import SCALINGS, ring_with_chords, scaled_laplacian

from pose2mesh.ops import SparseOperator, Upsampling
from pose2mesh.ops.chebyshev import cuda, cuda_fused, reference
from pose2mesh.ops.chebyshev.layer import GraphLayer

# batch, nodes, channels in, channels out, K: odd sizes, one node, one past a tile, wider than a block of channels
SHAPES = [(1, 1, 1, 1, 1), (3, 17, 7, 5, 2), (2, 33, 4, 9, 3), (1, 65, 20, 3, 3), (2, 11, 3, 130, 4), (2, 26, 5, 6, 5)]
EPILOGUES = [(), ("bias", "relu"), ("bias", "residual"), ("bias", "relu", "residual", "scale")]


def operator_of(nodes: int, scaling: str) -> SparseOperator:
    if nodes == 1:
        return SparseOperator(torch.tensor([0, 1]), torch.tensor([0]), torch.tensor([-0.5]), (1, 1))
    return SparseOperator.from_scipy(scaled_laplacian(ring_with_chords(nodes), scaling)[0])


def arguments_of(shape, dtype) -> dict[str, torch.Tensor]:
    batch, nodes, fan_in, fan_out, order = shape
    sizes = {
        "x": (batch, nodes, fan_in),
        "weight": (fan_out, fan_in * order),
        "bias": (fan_out,),
        "scale": (fan_out,),
        "residual": (batch, nodes, fan_out),
    }
    return {name: torch.randn(size, dtype=dtype, requires_grad=True) for name, size in sizes.items()}


def run(conv, operator, tensors, epilogue, upsampling=None):
    """Output, output without gradient, gradients."""
    given = {name: tensors[name] for name in ("x", "weight", *epilogue) if name in tensors}
    options = {**given, "activation": "relu" if "relu" in epilogue else None, "upsampling": upsampling}
    y = conv(GraphLayer(operator=operator, **options))
    gradients = torch.autograd.grad(y.double().square().sum(), list(given.values()))
    with torch.no_grad():
        return [y.detach(), conv(GraphLayer(operator=operator, **options)), *gradients]


def difference(ours, theirs) -> float:
    """The largest, of the largest value of each tensor."""
    worst = 0.0
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape and torch.isfinite(a).all()
        worst = max(worst, float((a.double() - b.double()).abs().max() / b.abs().max().clamp(min=1e-3)))
    return worst


def compare(backend, dtype, shapes=SHAPES) -> float:
    worst = 0.0
    for i, shape in enumerate(shapes):
        operator = operator_of(shape[1], list(SCALINGS)[i % 2])
        for epilogue in EPILOGUES if shape is SHAPES[1] else EPILOGUES[-1:]:
            tensors = arguments_of(shape, dtype)
            ours = run(backend.convolve, operator, tensors, epilogue)
            assert all(t.dtype == dtype for t in ours)
            exact = {name: t.detach().double().requires_grad_() for name, t in tensors.items()}
            worst = max(worst, difference(ours, run(reference.convolve, operator, exact, epilogue)))
    return worst


def compare_upsampling(backend, dtype) -> float:
    parents = torch.tensor([0, 0, 1, 2, 2, 2, 3, 4, 4, 5, 6])
    upsampling, operator = Upsampling(parents, 7), operator_of(11, "unit")
    worst = 0.0
    for order in (1, 2, 4):
        tensors = arguments_of((2, 7, 3, 4, order), dtype)
        for residual in (tensors["residual"], torch.randn(2, 11, 4, dtype=dtype, requires_grad=True)):
            given = {**tensors, "residual": residual}
            results = [
                run(conv, operator, given, EPILOGUES[-1], upsampling) for conv in (backend.convolve, reference.convolve)
            ]
            worst = max(worst, difference(*results))
    return worst


def compare_autocast(backend, half) -> float:
    """Against the reference under autocast: the same types."""
    operator, tensors = operator_of(33, "unit"), arguments_of((2, 33, 8, 16, 3), torch.float32)
    with torch.autocast("cpu", dtype=half):
        ours, theirs = (run(b.convolve, operator, tensors, EPILOGUES[1]) for b in (backend, reference))
    assert [t.dtype for t in ours] == [t.dtype for t in theirs]
    return difference(ours, theirs)


def gradcheck(backend) -> bool:
    operator, t = operator_of(7, "unit"), arguments_of((2, 7, 3, 2, 3), torch.float64)
    inputs = tuple(t[name] for name in ("x", "weight", "bias", "residual", "scale"))
    return torch.autograd.gradcheck(
        lambda x, w, b, r, s: backend.convolve(GraphLayer(x, operator, w, b, activation="relu", residual=r, scale=s)),
        inputs,
    )


def repeats(backend) -> bool:
    operator, tensors = operator_of(33, "unit"), arguments_of((2, 33, 4, 9, 3), torch.float32)
    first, second = (run(backend.convolve, operator, tensors, EPILOGUES[1]) for _ in range(2))
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    backend = {"cuda": cuda, "cuda-fused": cuda_fused}[sys.argv[1]]
    # triton 3.7's interpreter multiplies bfloat16 matrices as if they were integers, so tl.dot is tested in float16.
    half = torch.float16 if backend is cuda_fused else torch.bfloat16
    print("float32", compare(backend, torch.float32))
    print("half", compare(backend, half, SHAPES[2:4]))
    print("upsampling", compare_upsampling(backend, torch.float32))
    print("autocast", compare_autocast(backend, half))
    print("repeats", float(repeats(backend)))
    if backend is cuda:
        print("float64", compare(backend, torch.float64, SHAPES[::2]))
        print("gradcheck", float(gradcheck(backend)))
