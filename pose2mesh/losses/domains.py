"""What a critic of two domains learns from, and what features that are to pass for the other domain's learn from it.

Kinds: `wgan_gp`, Wasserstein distance with a gradient penalty; `bce`, binary cross-entropy; `gradient_reversal`, one
loss for both, whose gradient changes its sign between them.
"""

from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

Critic = Callable[[Tensor], Tensor]  # features [B, C] to scores [B]
_binary = nn.functional.binary_cross_entropy_with_logits


def critic_loss(
    kind: str, critic: Critic, source: Tensor, target: Tensor, penalty: float, generator: Generator
) -> tuple[Tensor, float]:
    """(loss of the critic, how far it holds the domains apart) on features [B,C] without gradients; not for reversal.

    `penalty` weighs `gradient_penalty`, at points that `generator` draws.
    """
    real, fake = critic(source), critic(target)
    distance = float((real.mean() - fake.mean()).detach())
    if kind == "bce":
        return _two_sided(real, fake), distance
    return fake.mean() - real.mean() + penalty * gradient_penalty(critic, source, target, generator), distance


def domain_loss(kind: str, critic: Critic, source: Tensor, target: Tensor) -> Tensor:
    """What target features [B,C] lower by passing for source features; 0 for the kind `none`."""
    if kind == "none":
        return target.new_zeros(())
    if kind == "gradient_reversal":
        return _two_sided(critic(source), critic(reverse_gradient(target)))
    fake = critic(target)
    return -fake.mean() if kind == "wgan_gp" else _binary(fake, torch.ones_like(fake))


def _two_sided(real: Tensor, fake: Tensor) -> Tensor:
    return _binary(real, torch.ones_like(real)) + _binary(fake, torch.zeros_like(fake))


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(context, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(context, *gradients: Tensor) -> Tensor:
        return -gradients[0]


def reverse_gradient(x: Tensor) -> Tensor:
    """The same values; the gradient changes its sign (Ganin & Lempitsky 2015)."""
    return _Reverse.apply(x)  # pyright: ignore[reportReturnType]


def gradient_penalty(critic: Critic, source: Tensor, target: Tensor, generator: Generator) -> Tensor:
    """Mean (|d critic / d x| - 1)² at random points between source and target features (Gulrajani et al. 2017).

    Shapes: source and target [B,C], without gradients; returns a scalar.
    """
    between = torch.rand(len(source), 1, generator=generator).to(source.device)
    points = torch.lerp(source.detach(), target.detach(), between).requires_grad_()
    (slope,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (slope.square().sum(1).add(1e-12).sqrt() - 1).square().mean()
