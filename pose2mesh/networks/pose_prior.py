"""A pose prior: a variational autoencoder of joint rotations (VPoser, Pavlakos et al. 2019).

Layer for layer the second published version (V02_05), so that its weights load by their own names. Rotations go in as
rotation vectors and come out of the 6D form; the root has no part in it.
"""

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from pose2mesh.geometry.rotation import rot6d_to_rotmat, rotmat_to_rotvec

DROPOUT = 0.1


class Posterior(nn.Module):
    """The last layer of the encoder: mean and deviation of the latent vector."""

    def __init__(self, features: int, latent: int):
        super().__init__()
        self.mu = nn.Linear(features, latent)
        self.logvar = nn.Linear(features, latent)  # the published name; what it gives goes through a softplus

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        return self.mu(features), functional.softplus(self.logvar(features))


class PosePrior(nn.Module):
    """Encoder and decoder of `joints` rotations against their parents."""

    def __init__(self, joints: int, width: int = 512, latent: int = 32):
        super().__init__()
        self.joints, self.latent = joints, latent
        inputs = 3 * joints
        self.encoder_net = nn.Sequential(
            nn.Flatten(),
            nn.BatchNorm1d(inputs),
            nn.Linear(inputs, width),
            nn.LeakyReLU(),
            nn.BatchNorm1d(width),
            nn.Dropout(DROPOUT),
            nn.Linear(width, width),
            nn.Linear(width, width),
            Posterior(width, latent),
        )
        self.decoder_net = nn.Sequential(
            nn.Linear(latent, width),
            nn.LeakyReLU(),
            nn.Dropout(DROPOUT),
            nn.Linear(width, width),
            nn.LeakyReLU(),
            nn.Linear(width, 6 * joints),
        )

    def encode(self, rotmat: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation [B,L] of the latent vector of rotations [B,J,3,3]."""
        return self.encoder_net(rotmat_to_rotvec(rotmat))

    def decode(self, latent: Tensor) -> Tensor:
        """Latent vectors [B,L] to rotations [B,J,3,3]."""
        columns = self.decoder_net(latent).unflatten(1, (self.joints, 3, 2))  # [B, J, 3, 2], published order
        return rot6d_to_rotmat(columns.transpose(-1, -2).flatten(2))

    def forward(self, rotmat: Tensor, generator: Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Rotations [B,J,3,3] through a drawn latent vector and back: (rotations, mean [B,L], deviation [B,L])."""
        mean, deviation = self.encode(rotmat)
        noise = torch.randn(mean.shape, generator=generator).to(mean)
        return self.decode(mean + deviation * noise), mean, deviation

    def sample(self, count: int, generator: Generator) -> Tensor:
        """Rotations [count,J,3,3] of latent vectors from N(0, I)."""
        latent = torch.randn(count, self.latent, generator=generator)
        return self.decode(latent.to(next(self.decoder_net.parameters())))
