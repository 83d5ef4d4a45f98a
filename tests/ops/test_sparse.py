import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from pose2mesh.ops import SparseOperator


def random_matrix(rows: int, columns: int, seed: int = 0) -> sp.csr_matrix:
    return sp.random(rows, columns, density=0.2, format="csr", dtype=np.float32, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("shape", [(1, 1), (7, 7), (31, 12), (12, 31), (6, 1)])
@pytest.mark.parametrize("batch_and_channels", [(1, 1), (3, 5), (4, 2)])
def test_product_matches_dense(shape, batch_and_channels):
    matrix = random_matrix(*shape)
    batch, channels = batch_and_channels
    x = torch.randn(batch, shape[1], channels)  # [B, M, C]
    product = SparseOperator.from_scipy(matrix).matmul(x)  # [B, N, C]
    expected = np.einsum("nm,bmc->bnc", matrix.toarray().astype(np.float64), x.double().numpy())
    np.testing.assert_allclose(product.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("convert", [sp.coo_matrix, sp.csc_matrix, sp.csr_array, sp.coo_array])
def test_any_sparse_format_is_taken_and_left_alone(convert):
    dense = random_matrix(5, 8).toarray()
    matrix = convert(dense)
    SparseOperator.from_scipy(matrix)
    np.testing.assert_array_equal(matrix.toarray(), dense)
    assert matrix.format == convert(dense).format


def test_duplicates_are_summed_and_zeros_dropped():
    matrix = sp.coo_matrix(([1.0, 2.0, 0.0], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    operator = SparseOperator.from_scipy(matrix)
    assert operator.values.tolist() == [3.0]
    assert matrix.nnz == 3


@pytest.mark.parametrize("shape", [(9, 9), (13, 4)])
def test_first_and_second_gradient(shape):
    operator = SparseOperator.from_scipy(random_matrix(*shape))
    x = torch.randn(2, shape[1], 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(operator.matmul, (x,))
    assert torch.autograd.gradgradcheck(lambda y: operator.matmul(y).pow(3), (x,))


def test_gradient_is_the_transposed_product():
    matrix = random_matrix(20, 11)
    x = torch.randn(3, 11, 4, requires_grad=True)
    upstream = torch.randn(3, 20, 4)
    SparseOperator.from_scipy(matrix).matmul(x).backward(upstream)
    expected = np.einsum("nm,bnc->bmc", matrix.toarray(), upstream.numpy())
    np.testing.assert_allclose(x.grad.numpy(), expected, atol=1e-6)


def test_float64_is_kept():
    product = SparseOperator.from_scipy(random_matrix(4, 4)).matmul(torch.randn(1, 4, 2, dtype=torch.float64))
    assert product.dtype == torch.float64


def test_bfloat16_autocast_computes_in_float32():
    matrix = random_matrix(12, 12)
    operator = SparseOperator.from_scipy(matrix)
    x = torch.randn(2, 12, 3, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        product = operator.matmul(x)
        product.sum().backward()
    assert product.dtype == torch.float32
    torch.testing.assert_close(product, operator.matmul(x), rtol=0, atol=0)
    assert operator.matmul(x.detach().bfloat16()).dtype == torch.float32
    np.testing.assert_allclose(x.grad[0, :, 0].numpy(), matrix.toarray().sum(0), atol=1e-6)


def test_only_a_persistent_operator_is_saved():
    matrix = random_matrix(6, 5)
    assert SparseOperator.from_scipy(matrix).state_dict() == {}
    assert set(SparseOperator.from_scipy(matrix, persistent=True).state_dict()) == {"crow", "col", "values"}


def test_loading_replaces_the_transposed_matrix_too():
    stored = random_matrix(6, 5, seed=1)
    other = sp.csr_matrix((stored.data + 1, stored.indices, stored.indptr), shape=stored.shape)
    operator = SparseOperator.from_scipy(other, persistent=True)
    operator.load_state_dict(SparseOperator.from_scipy(stored, persistent=True).state_dict())
    x = torch.zeros(1, 5, 1, requires_grad=True)
    operator.matmul(x).sum().backward()
    np.testing.assert_allclose(x.grad[0, :, 0].numpy(), stored.toarray().sum(0), atol=1e-6)


def test_no_warning_reaches_the_user():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SparseOperator.from_scipy(random_matrix(3, 3)).matmul(torch.randn(1, 3, 1))
