"""The pose prior: VPoser's layers, its decoder's order of numbers, determinism, and what its training minimizes."""

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch.nn import functional

from pose2mesh.geometry.rotation import rotvec_to_rotmat
from pose2mesh.networks.pose_prior import PosePrior


@pytest.fixture
def prior() -> PosePrior:
    torch.manual_seed(0)
    return PosePrior(joints=21).eval()


def rotations(count: int, joints: int) -> torch.Tensor:
    return rotvec_to_rotmat(0.5 * torch.randn(count, joints, 3, generator=torch.Generator().manual_seed(1)))


def test_the_layers_are_those_of_the_published_version(prior):
    shapes = {name: tuple(value.shape) for name, value in prior.state_dict().items() if name.endswith("weight")}
    assert shapes == {
        "encoder_net.1.weight": (63,),
        "encoder_net.2.weight": (512, 63),
        "encoder_net.4.weight": (512,),
        "encoder_net.6.weight": (512, 512),
        "encoder_net.7.weight": (512, 512),
        "encoder_net.8.mu.weight": (32, 512),
        "encoder_net.8.logvar.weight": (32, 512),
        "decoder_net.0.weight": (512, 32),
        "decoder_net.3.weight": (512, 512),
        "decoder_net.5.weight": (126, 512),
    }


def test_the_decoder_reads_two_columns_side_by_side(prior):
    """Row-major [3, 2] per joint, Gram-Schmidt on its columns, written out here number by number."""
    latent = torch.randn(4, 32, generator=torch.Generator().manual_seed(2))
    numbers = prior.decoder_net(latent).view(-1, 3, 2)
    first = functional.normalize(numbers[:, :, 0], dim=1)
    second = numbers[:, :, 1] - (first * numbers[:, :, 1]).sum(1, keepdim=True) * first
    second = functional.normalize(second, dim=1)
    expected = torch.stack([first, second, torch.linalg.cross(first, second)], -1).view(4, 21, 3, 3)
    torch.testing.assert_close(prior.decode(latent), expected)


def test_the_deviation_is_a_softplus_of_what_is_called_log_variance(prior):
    given = rotations(5, 21)
    mean, deviation = prior.encode(given)
    layers = prior.encoder_net
    rotvec = torch.tensor(Rotation.from_matrix(given.reshape(-1, 3, 3).numpy()).as_rotvec()).float().view(5, -1)
    hidden = rotvec
    for layer in list(layers)[1:8]:
        hidden = layer(hidden)
    torch.testing.assert_close(mean, layers[8].mu(hidden), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(deviation, functional.softplus(layers[8].logvar(hidden)), atol=1e-5, rtol=1e-4)


def test_the_same_generator_gives_the_same_samples_and_all_are_rotations(prior):
    first, second = (prior.sample(6, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    identity = torch.eye(3).expand(6, 21, 3, 3)
    torch.testing.assert_close(first @ first.transpose(-1, -2), identity, atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(first), torch.ones(6, 21), atol=1e-5, rtol=0)


def test_the_reconstruction_is_drawn_around_the_mean(prior):
    given = rotations(3, 21)
    out, mean, deviation = prior(given, torch.Generator().manual_seed(4))
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(out, prior.decode(mean + deviation * noise))
