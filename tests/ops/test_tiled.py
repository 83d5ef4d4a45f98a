import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch import nn

from pose2mesh.ops import SparseOperator, TiledOperator, chebyshev_conv, use_backend, with_tiled_operators


@pytest.mark.parametrize("shape", [(1, 1), (32, 32), (33, 7), (70, 100), (6, 90)])
@pytest.mark.parametrize("tile_rows", [1, 5, 32])
def test_product_matches_dense(shape, tile_rows):
    matrix = sp.random(*shape, density=0.15, format="csr", dtype=np.float32, rng=np.random.default_rng(1))
    x = torch.randn(3, shape[1], 4)  # [B, M, C]
    product = TiledOperator(SparseOperator.from_scipy(matrix), tile_rows).matmul(x)  # [B, N, C]
    expected = np.einsum("nm,bmc->bnc", matrix.toarray().astype(np.float64), x.double().numpy())
    np.testing.assert_allclose(product.numpy(), expected, atol=1e-6)


def test_empty_rows_and_an_empty_matrix():
    x = torch.randn(1, 40, 2)
    empty = SparseOperator.from_scipy(sp.csr_matrix((50, 40)))
    assert torch.equal(TiledOperator(empty).matmul(x), torch.zeros(1, 50, 2))


class Layer(nn.Module):
    def __init__(self, operator: SparseOperator):
        super().__init__()
        self.operators = nn.ModuleList([operator])
        self.weight = nn.Parameter(torch.randn(5, 6))

    def forward(self, x):
        return chebyshev_conv(x, self.operators[0], self.weight)


def test_a_network_is_copied_and_gives_the_same():
    half = sp.random(40, 40, density=0.1, rng=np.random.default_rng(0))
    network = Layer(SparseOperator.from_scipy(half + half.T))
    tiled, x = with_tiled_operators(network), torch.randn(2, 40, 2)
    assert isinstance(network.operators[0], SparseOperator)
    assert not any(isinstance(module, SparseOperator) for module in tiled.modules())
    with use_backend("reference"):
        torch.testing.assert_close(tiled(x), network(x), rtol=1e-4, atol=1e-5)
