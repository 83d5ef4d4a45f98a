from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch_geometric.nn import ChebConv

from pose2mesh.errors import InputError
from pose2mesh.ops import SparseOperator, chebyshev_basis, chebyshev_conv

SCALINGS = {"unit": lambda lmax: lmax / 2, "paper": lambda lmax: 2 * lmax}  # L / scale - I

reference_conv = partial(chebyshev_conv, backend="reference")


def ring_with_chords(nodes: int) -> sp.csr_matrix:
    """A connected weighted graph without symmetry."""
    rng = np.random.default_rng(nodes)
    source = np.concatenate([np.arange(nodes), rng.integers(0, nodes, nodes)])
    target = np.concatenate([(np.arange(nodes) + 1) % nodes, rng.integers(0, nodes, nodes)])
    dense = np.zeros((nodes, nodes))
    dense[source, target] = rng.uniform(0.5, 2.0, source.size)
    dense = np.maximum(dense, dense.T)
    np.fill_diagonal(dense, 0)
    return sp.csr_matrix(dense)


def scaled_laplacian(adjacency: sp.csr_matrix, scaling: str) -> tuple[sp.csr_matrix, float]:
    degree = np.asarray(adjacency.sum(1)).ravel()
    normalizer = sp.diags(degree**-0.5)
    laplacian = sp.identity(adjacency.shape[0]) - normalizer @ adjacency @ normalizer
    lmax = float(np.linalg.eigvalsh(laplacian.toarray())[-1])
    scale = SCALINGS[scaling](lmax)
    return sp.csr_matrix(laplacian / scale - sp.identity(adjacency.shape[0])), scale


def dense_polynomial(matrix: np.ndarray, degree: int) -> np.ndarray:
    """T_k through numpy's coefficients of powers, not through the recurrence."""
    powers = np.polynomial.chebyshev.cheb2poly([0] * degree + [1])
    return sum(c * np.linalg.matrix_power(matrix, p) for p, c in enumerate(powers))


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("nodes", [5, 17])
def test_basis_matches_dense_polynomials(order, scaling, nodes):
    matrix, _ = scaled_laplacian(ring_with_chords(nodes), scaling)
    x = torch.randn(3, nodes, 2, dtype=torch.float64)
    basis = chebyshev_basis(x, SparseOperator.from_scipy(matrix), order).numpy()  # [B, N, C, K]
    assert basis.shape == (3, nodes, 2, order)
    dense = matrix.astype(np.float32).astype(np.float64).toarray()
    for degree in range(order):
        expected = np.einsum("nm,bmc->bnc", dense_polynomial(dense, degree), x.numpy())
        np.testing.assert_allclose(basis[..., degree], expected, atol=1e-9)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_basis_acts_on_eigenvectors_as_cosine(scaling):
    matrix, _ = scaled_laplacian(ring_with_chords(11), scaling)
    eigenvalues, eigenvectors = np.linalg.eigh(matrix.toarray())
    x = torch.from_numpy(eigenvectors.T.copy())[..., None]  # [B = eigenvector, N, 1]
    basis = chebyshev_basis(x, SparseOperator.from_scipy(matrix), 5).numpy()[:, :, 0]  # [B, N, K]
    angle = np.arccos(np.clip(eigenvalues, -1, 1))
    expected = eigenvectors.T[..., None] * np.cos(np.arange(5) * angle[:, None])[:, None, :]
    np.testing.assert_allclose(basis, expected, atol=1e-5)  # the operator is rounded to float32


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("scaling", SCALINGS)
def test_matches_torch_geometric_with_gradients(order, scaling):
    adjacency = ring_with_chords(13)
    matrix, scale = scaled_laplacian(adjacency, scaling)
    coo = adjacency.tocoo()
    edges = torch.from_numpy(np.stack([coo.row, coo.col])).long()
    theirs = ChebConv(4, 6, K=order, normalization="sym").double()
    torch.nn.init.normal_(theirs.bias)
    weights = torch.stack([lin.weight.detach() for lin in theirs.lins], dim=-1)  # [C_out, C_in, K]
    weight = weights.flatten(1).requires_grad_()
    x = torch.randn(2, 13, 4, dtype=torch.float64, requires_grad=True)

    # ChebConv scales by 2 / lambda_max
    expected = theirs(x, edges, torch.from_numpy(coo.data), lambda_max=torch.tensor(2 * scale).double())
    upstream = torch.randn_like(expected)
    x_grad, *weight_grads = torch.autograd.grad(
        expected, [x, *(lin.weight for lin in theirs.lins)], upstream, retain_graph=True
    )
    ours = reference_conv(x, SparseOperator.from_scipy(matrix), weight, theirs.bias)
    our_x_grad, our_weight_grad = torch.autograd.grad(ours, [x, weight], upstream)

    close = {"rtol": 0, "atol": 2e-5}  # float32 operator; values reach 30 at K = 5
    torch.testing.assert_close(ours, expected, **close)
    torch.testing.assert_close(our_x_grad, x_grad, **close)
    torch.testing.assert_close(our_weight_grad, torch.stack(weight_grads, -1).flatten(1), **close)


def test_gradcheck_with_activation_and_residual():
    matrix, _ = scaled_laplacian(ring_with_chords(7), "unit")
    operator = SparseOperator.from_scipy(matrix)
    x, residual = torch.randn(2, 7, 3).double(), torch.randn(2, 7, 2).double()
    weight, bias = torch.randn(2, 9).double(), torch.randn(2).double()
    inputs = tuple(t.requires_grad_() for t in (x, weight, bias, residual))
    assert torch.autograd.gradcheck(
        lambda x, w, b, r: reference_conv(x, operator, w, b, activation="relu", residual=r), inputs
    )


def test_the_residual_is_added_after_the_activation():
    operator = SparseOperator.from_scipy(sp.identity(3, format="csr"))
    x = torch.full((1, 3, 1), -1.0)
    y = reference_conv(x, operator, torch.ones(1, 1), activation="relu", residual=x)
    assert y.flatten().tolist() == [-1.0] * 3


def test_autocast_keeps_the_recurrence_in_float32():
    matrix, _ = scaled_laplacian(ring_with_chords(9), "unit")
    x = torch.randn(2, 9, 4)
    operator = SparseOperator.from_scipy(matrix)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        basis = chebyshev_basis(x, operator, 3)
        y = reference_conv(x, operator, torch.randn(5, 12), torch.randn(5))
    torch.testing.assert_close(basis, chebyshev_basis(x, operator, 3), rtol=0, atol=0)
    assert y.dtype == torch.bfloat16


def test_relabeling_the_nodes_commutes_with_the_convolution():
    matrix, _ = scaled_laplacian(ring_with_chords(12), "paper")
    order = np.random.default_rng(0).permutation(12)
    x, weight = torch.randn(2, 12, 3), torch.randn(4, 9)
    y = reference_conv(x, SparseOperator.from_scipy(matrix), weight)
    relabeled = SparseOperator.from_scipy(matrix[order][:, order])
    torch.testing.assert_close(reference_conv(x[:, order], relabeled, weight), y[:, order])


@pytest.mark.parametrize("width", [0, 7])
def test_a_weight_of_the_wrong_width_is_refused(width):
    operator = SparseOperator.from_scipy(sp.identity(3, format="csr"))
    with pytest.raises(InputError, match="multiple of 2"):
        reference_conv(torch.randn(1, 3, 2), operator, torch.randn(4, width))


def test_an_unknown_activation_is_refused():
    operator = SparseOperator.from_scipy(sp.identity(3, format="csr"))
    with pytest.raises(InputError, match="'gelu'"):
        reference_conv(torch.randn(1, 3, 2), operator, torch.randn(4, 2), activation="gelu")
