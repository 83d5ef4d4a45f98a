"""What tells source features from target features (Key2Mesh's domain critic); `losses.domains` has its losses."""

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
