"""What tells source features from target features (Key2Mesh's domain critic), and how gradients pass it."""

import torch
from torch import Tensor, nn


class DomainCritic(nn.Module):
    """Features [B,C] to one score [B] each: two hidden layers with PReLU, no norm (a norm would tie a batch together,
    and the gradient penalty is one of single samples; Gulrajani et al. 2017).
    """

    def __init__(self, features: int, hidden: int = 1024, dropout: float = 0.2):
        super().__init__()
        layers: list[nn.Module] = []
        for inputs in (features, hidden):
            layers += [nn.Linear(inputs, hidden), nn.PReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden, 1))

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features)[:, 0].float()


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


def gradient_penalty(critic: nn.Module, source: Tensor, target: Tensor, generator: torch.Generator) -> Tensor:
    """Mean (|d critic / d x| - 1)² at random points between source and target features (Gulrajani et al. 2017).

    Shapes: source and target [B,C], without gradients; returns a scalar.
    """
    between = torch.rand(len(source), 1, generator=generator).to(source.device)
    points = torch.lerp(source.detach(), target.detach(), between).requires_grad_()
    (slope,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (slope.square().sum(1).add(1e-12).sqrt() - 1).square().mean()
