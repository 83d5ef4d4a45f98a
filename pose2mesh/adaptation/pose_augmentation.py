"""New poses around predicted ones, in the latent space of a pose prior (DAPA, Weng et al. 2022, step 2).

Root, shape, camera and whatever the prior does not know (hands) stay as predicted.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Generator, Tensor

from pose2mesh.augmentation.ranges import NotNegative
from pose2mesh.geometry.chains import relative_rotations, world_rotations
from pose2mesh.networks.pose_prior import PosePrior
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.settings import Strict
from pose2mesh.skeletons import MOTION_PARENTS

Loss = Callable[[BodyParameters], Tensor]
MOST_SHAPE = 3.0  # deviations; as in the released code


class LatentAugmentation(Strict):
    """How a latent vector is moved. The paper's is `multiply`; the others are options of its released code."""

    kind: Literal["multiply", "add", "adversarial", "random"] = "multiply"
    spread: NotNegative = 1.0  # deviation of random draws
    strength: NotNegative = 0.5  # s; the released code: 0.5 for AGORA and gymnastics, 0.005 for 3DPW, 1 for SMART


def augment_poses(
    prior: PosePrior,
    predicted: BodyParameters,
    recipe: LatentAugmentation,
    generator: Generator,
    loss: Loss | None = None,
) -> BodyParameters:
    """Predicted parameters with new poses: encode, draw z ~ N(mu, sigma), move it, decode.

    Rotations are those of AnnyDecoder, the world rotations [B,19,3,3] of the captured bones. `loss` of parameters is
    what the adversarial kind climbs. The result carries no gradient.
    """
    relative = relative_rotations(predicted.rotations.detach(), MOTION_PARENTS)  # [B, 19, 3, 3]
    with torch.no_grad():
        mean, deviation = prior.encode(relative[:, 1:])
        latent = mean + deviation * _normal(mean, generator)  # [B, L]

    def decode(moved: Tensor) -> BodyParameters:
        pose = torch.cat([relative[:, :1], prior.decode(moved)], 1)
        return BodyParameters(world_rotations(pose, MOTION_PARENTS), predicted.betas.detach())

    moved = move_latent(latent, recipe, generator, (lambda z: loss(decode(z))) if loss else None)
    with torch.no_grad():
        return decode(moved)


def without_impossible_shapes(parameters: BodyParameters) -> BodyParameters:
    """Shapes with a coefficient beyond `MOST_SHAPE` become the mean shape; without gradients."""
    betas = parameters.betas.detach()
    impossible = (betas.abs() > MOST_SHAPE).any(1, keepdim=True)
    return BodyParameters(parameters.rotations.detach(), torch.where(impossible, torch.zeros_like(betas), betas))


def move_latent(
    latent: Tensor, recipe: LatentAugmentation, generator: Generator, loss: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """Move latent vectors [B,L].

    multiply: z (1 + s eps), eps ~ U[0,1) per entry, so entries only grow, away from the mean pose (the poster's
    formula). add: z + s n, n ~ N(0, I). adversarial: z + s sign(dloss/dz), a step towards what the network finds hard.
    random: a draw from the prior, its deviation times `spread`, whatever was predicted (the paper's ablation).
    """
    if recipe.kind == "multiply":
        return latent * (1 + recipe.strength * torch.rand(latent.shape, generator=generator).to(latent))
    if recipe.kind == "add":
        return latent + recipe.strength * _normal(latent, generator)
    if recipe.kind == "random":
        return recipe.spread * _normal(latent, generator)
    assert loss is not None  # the callers in this package give one
    with torch.enable_grad():
        start = latent.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(start), start)
    return latent + recipe.strength * gradient.sign()


def _normal(like: Tensor, generator: Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator).to(like)
