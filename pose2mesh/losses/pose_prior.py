"""The loss of a pose prior (`networks.pose_prior`)."""

from typing import Any

from torch import Generator, Tensor

from pose2mesh.geometry.chains import world_rotations


def prior_loss(
    prior: Any,  # a PosePrior
    rotmat: Tensor,
    parents: tuple[int, ...],
    kl_weight: float,
    world_share: float,
    generator: Generator,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Squared chordal distance of the rotations, against parents and against the root, and the weighted divergence.

    The published training compares vertices of a licensed body; rotations against the root stand for them here, so
    that an error near the root weighs as much as all that hangs on it.
    """
    decoded, mean, deviation = prior(rotmat, generator)
    relative = (decoded - rotmat).square().sum((-1, -2)).mean()
    above = [parent - 1 for parent in parents]  # the root is left out
    world = (world_rotations(decoded, above) - world_rotations(rotmat, above)).square().sum((-1, -2)).mean()
    divergence = 0.5 * (mean.square() + deviation.square() - 1 - 2 * deviation.log()).sum(-1).mean()
    loss = (1 - world_share) * relative + world_share * world + kl_weight * divergence
    return loss, {"relative": relative.detach(), "world": world.detach(), "kl": divergence.detach()}
