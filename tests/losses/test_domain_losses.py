"""The gradient penalty against a critic whose slope is known, and the reversed gradient."""

import pytest
import torch
from torch import nn

from pose2mesh.losses.domains import gradient_penalty, reverse_gradient


class Slope(nn.Module):
    def __init__(self, weight: torch.Tensor):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight


@pytest.mark.parametrize("length", [0.5, 1.0, 3.0])
def test_the_penalty_of_a_linear_critic_is_that_of_its_slope(length: float):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(6, generator=generator)
    critic = Slope(length * weight / weight.norm())
    source, target = (torch.randn(5, 6, generator=generator) for _ in range(2))
    penalty = gradient_penalty(critic, source, target, generator)
    torch.testing.assert_close(penalty, torch.tensor((length - 1.0) ** 2), atol=1e-5, rtol=1e-5)
    (slope,) = torch.autograd.grad(penalty, critic.weight)  # d (|w| - 1)² / dw = 2 (|w| - 1) w / |w|
    torch.testing.assert_close(slope, 2 * (length - 1) * critic.weight.detach() / length, atol=1e-5, rtol=1e-5)


def test_the_reversed_gradient_is_the_negative_one():
    x = torch.arange(4.0, requires_grad=True)
    reverse_gradient(x).square().sum().backward()
    assert torch.equal(x.grad, -2 * x.detach())
