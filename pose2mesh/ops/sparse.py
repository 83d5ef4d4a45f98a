"""A fixed sparse matrix as a torch module: one product, differentiable in its argument."""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from scipy.sparse import csr_array, csr_matrix


class SparseOperator(nn.Module):
    """A constant float32 matrix [N, M] in compressed rows, multiplied from the left: [B, M, C] -> [B, N, C].

    The transposed matrix is kept as well, because the gradient is a product with it. Only the matrix is
    saved, and that only when `persistent`. Its indices are 32-bit, which MKL and cuSPARSE take as they are.
    """

    crow: Tensor  # [N + 1] int32, where each row begins
    col: Tensor  # [nnz] int32
    values: Tensor  # [nnz]
    crow_transposed: Tensor  # [M + 1] int32
    col_transposed: Tensor  # [nnz] int32
    values_transposed: Tensor  # [nnz]

    def __init__(self, crow: Tensor, col: Tensor, values: Tensor, shape: tuple[int, int], *, persistent: bool = False):
        super().__init__()
        self.shape = (int(shape[0]), int(shape[1]))
        self._is_saved = persistent
        self.register_buffer("crow", crow.to(torch.int32), persistent=persistent)
        self.register_buffer("col", col.to(torch.int32), persistent=persistent)
        self.register_buffer("values", values.to(torch.float32), persistent=persistent)
        for name in ("crow_transposed", "col_transposed", "values_transposed"):
            self.register_buffer(name, None, persistent=False)
        # What `matrices` returned. Replicas on several devices share this and `kernels`, so keys name the device.
        self._wrapped: dict[tuple[torch.dtype, torch.device], tuple[Tensor, Tensor]] = {}
        self.kernels: dict[Any, Any] = {}  # what backends made of the buffers, for as long as these stay as they are
        self._cache_transposed()
        _consume_beta_warning()

    @classmethod
    def from_scipy(cls, matrix: csr_matrix | csr_array, *, persistent: bool = False) -> SparseOperator:
        """Convert any scipy sparse matrix or array; duplicates are summed and zeros dropped in a copy."""
        rows = matrix.tocsr(copy=True)
        rows.sum_duplicates()
        rows.eliminate_zeros()
        n, m = matrix.shape  # pyright: ignore[reportGeneralTypeIssues] - scipy's class body says None
        crow, col = torch.from_numpy(rows.indptr), torch.from_numpy(rows.indices)
        return cls(crow, col, torch.from_numpy(rows.data), (n, m), persistent=persistent)

    @property
    def device(self) -> torch.device:
        return self.values.device

    def matmul(self, x: Tensor) -> Tensor:
        """The product with every sample.

        float64 stays float64; half precisions are computed and returned in float32, as autocast sums.

        Shapes: x [B, M, C]; returns [B, N, C], strided as [N, B, C] so that products chain without copies.
        """
        if x.dtype in (torch.bfloat16, torch.float16):
            x = x.float()
        matrix, transposed = self.matrices(x.dtype)
        if not (torch.is_grad_enabled() and x.requires_grad):
            return _multiply(matrix, x)
        product: Tensor = _Product.apply(x, matrix, transposed)  # type: ignore[assignment]
        return product

    def forward(self, x: Tensor) -> Tensor:
        return self.matmul(x)

    def extra_repr(self) -> str:
        return f"{self.shape[0]}x{self.shape[1]}, nnz={self.values.numel()}"

    def matrices(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """The matrix and its transpose as torch CSR tensors of a data type: [N, M], [M, N]."""
        key = dtype, self.values.device
        if key not in self._wrapped:
            with torch.inference_mode(False):  # what is kept must be usable in training, too
                self._wrapped[key] = (
                    _compressed(self.crow, self.col, self.values.to(dtype), self.shape),
                    _compressed(
                        self.crow_transposed, self.col_transposed, self.values_transposed.to(dtype), self.shape[::-1]
                    ),
                )
        return self._wrapped[key]

    @property
    def is_symmetric(self) -> bool:
        """Whether the matrix is its own transpose, to rounding. Checked once."""
        if self._is_symmetric is None:
            self._is_symmetric = self.shape[0] == self.shape[1] and self._equals_transposed()
        return self._is_symmetric

    def _equals_transposed(self) -> bool:
        if not (torch.equal(self.crow, self.crow_transposed) and torch.equal(self.col, self.col_transposed)):
            return False
        largest = self.values.abs().max() if self.values.numel() else 0.0
        return bool(((self.values - self.values_transposed).abs() <= 1e-5 * largest).all())

    def _cache_transposed(self) -> None:
        self._forget()
        n, m = self.shape
        row = torch.repeat_interleave(torch.arange(n, device=self.crow.device), self.crow.diff().long())  # [nnz]
        order = torch.argsort(self.col.long() * n + row)  # by column, then by row
        count = torch.bincount(self.col.long(), minlength=m)  # [M]
        self.crow_transposed = nn.functional.pad(count.cumsum(0), (1, 0)).to(torch.int32)
        self.col_transposed = row[order].to(torch.int32)
        self.values_transposed = self.values[order]

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        if self._is_saved:  # otherwise the matrix is what it was
            self._cache_transposed()

    def _apply(self, fn: Any, recurse: bool = True) -> SparseOperator:
        self._forget()  # what was made holds the buffers that are about to be moved
        super()._apply(fn, recurse)
        return self

    def _forget(self) -> None:
        self._wrapped.clear()
        self.kernels.clear()
        self._is_symmetric = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_wrapped": {}, "kernels": {}}  # copies and files hold the buffers only


class _Product(torch.autograd.Function):
    """matrix · x with the gradient transposed · dy; torch's own gradient would transpose on every step."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor, transposed: Tensor) -> Tensor:
        ctx.matrix, ctx.transposed = matrix, transposed
        return _multiply(matrix, x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, None, None]:
        return _Product.apply(grads[0], ctx.transposed, ctx.matrix), None, None


def _multiply(matrix: Tensor, x: Tensor) -> Tensor:
    """One wide product over [M, B·C], measured no slower than one product per sample."""
    batch, m, channels = x.shape
    with torch.autocast(x.device.type, enabled=False):  # autocast would turn the operands into bfloat16
        wide = matrix @ x.transpose(0, 1).reshape(m, batch * channels)  # [N, B·C]
    return wide.view(matrix.shape[0], batch, channels).transpose(0, 1)  # [B, N, C]


def _compressed(crow: Tensor, col: Tensor, values: Tensor, shape: tuple[int, ...]) -> Tensor:
    # The buffers are plain tensors, so that .to() and state_dict see them; wrapping them costs about 20 µs.
    return torch.sparse_csr_tensor(crow, col, values, size=shape, check_invariants=False)


@functools.cache
def _consume_beta_warning() -> None:
    """torch warns once per process that its CSR format is in beta; the user cannot act on it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        index = torch.zeros(2, dtype=torch.int32)
        _compressed(index, index[:0], torch.zeros(0), (1, 1))
