"""Batch norm, ReLU and residual of a layer in training, against torch's own."""

import pytest
import torch
from torch import Tensor, nn

from pose2mesh.errors import InputError
from pose2mesh.ops import batch_norm_relu


def expected_of(y: Tensor, norm: nn.BatchNorm1d, residual: Tensor | None) -> Tensor:
    z = torch.relu(norm(y.flatten(0, 1)).view_as(y))
    return z if residual is None else z + residual


@pytest.mark.parametrize("dtype", [None, torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_the_residual_may_have_another_type(dtype: torch.dtype | None) -> None:
    y = torch.randn(3, 40, 5)
    residual = None if dtype is None else torch.randn(3, 40, 5).to(dtype)
    ours, theirs = nn.BatchNorm1d(5), nn.BatchNorm1d(5)
    z = batch_norm_relu(y, ours, residual)
    assert z.dtype == torch.float32
    torch.testing.assert_close(z, expected_of(y, theirs, None if residual is None else residual.float()))
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value)


def test_the_gradient_of_a_residual_has_its_type() -> None:
    residual = torch.randn(2, 9, 4, dtype=torch.bfloat16, requires_grad=True)
    batch_norm_relu(torch.randn(2, 9, 4), nn.BatchNorm1d(4), residual).sum().backward()
    assert residual.grad is not None and residual.grad.dtype == torch.bfloat16
    assert torch.equal(residual.grad, torch.ones_like(residual))


@pytest.mark.parametrize("shape", [(2, 9, 1), (2, 8, 4), (9, 4)])
def test_a_residual_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="does not belong to"):
        batch_norm_relu(torch.randn(2, 9, 4), nn.BatchNorm1d(4), torch.randn(shape))


def test_the_default_device_is_not_ours() -> None:
    y, norm = torch.randn(2, 9, 4), nn.BatchNorm1d(4)
    with torch.device("meta"):
        z = batch_norm_relu(y, norm)
    torch.testing.assert_close(z, expected_of(y, nn.BatchNorm1d(4), None))


def test_the_gradient_of_a_gradient_is_refused_not_wrong() -> None:
    y, norm = torch.randn(2, 9, 4, requires_grad=True), nn.BatchNorm1d(4)
    z = batch_norm_relu(y, norm)
    if z.grad_fn is None or "NormRelu" not in z.grad_fn.name():
        pytest.skip("no compiled kernels: torch's own norm has second derivatives")
    with pytest.raises(InputError, match="no second derivative"):
        torch.autograd.grad(z.square().sum(), y, create_graph=True)
