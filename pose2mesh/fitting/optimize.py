"""Fit the body to 2D keypoints by descent, after SMPLify (Bogo et al. 2016): the slow way, and a refinement.

Energy of one person: robust re-projection error of the joints, in sizes of the person, with a camera in closed form at
every step; −log p of the pose under a Gaussian mixture; the squared shape coefficients, which have unit deviation; and,
when a network's answer is refined, the squared turn of each bone away from it.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pose2mesh.errors import InputError
from pose2mesh.fitting.pose_mixture import PoseMixture, load_mixture
from pose2mesh.geometry.chains import relative_rotations, world_rotations
from pose2mesh.geometry.placement import guess_rays, reprojection_errors
from pose2mesh.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from pose2mesh.networks.abilities import abilities_of
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.prediction import BodyParameters, BodyPrediction
from pose2mesh.skeletons import MOTION_PARENTS, joint_set

_HEADINGS = 4  # a search from nothing starts with the body turned by quarters
_UPRIGHT = torch.diag(torch.tensor([1.0, -1.0, -1.0]))  # y up to the camera's y down


@dataclass(frozen=True)
class FitSettings:
    """How far and how hard to descend."""

    iterations: int = 100
    learning_rate: float = 0.05
    robust: float = 0.15  # re-projection errors beyond this (sizes of the person) hardly pull
    reprojection: float = 300.0
    prior: float = 0.02
    shape: float = 0.05
    anchor: float = 0.0  # to the pose at the start


REFINEMENT = FitSettings(iterations=30, learning_rate=0.02, reprojection=100.0, shape=1.0, anchor=60.0)


class _Variables(NamedTuple):
    turn: Tensor  # [B, 3] of the root against the start, rotation vectors
    pose: Tensor  # [B, 18, 3] of the other bones against their parents
    betas: Tensor  # [B, S]


class BodyFitter:
    """Fits Anny's parameters to keypoints of one joint set, many people at once."""

    def __init__(self, decoder: AnnyDecoder, keypoint_set: str, mixture: PoseMixture | None = None):
        self.decoder = decoder
        with torch.inference_mode(False):  # what is made within `predict` could not be descended through
            self.mixture = (mixture or load_mixture()).to(decoder.rest6d.device)
        names = decoder.joint_set.joints
        pairs = [(i, names.index(j)) for i, j in enumerate(joint_set(keypoint_set).joints) if j in names]
        self.rows, self.columns = (list(column) for column in zip(*pairs, strict=True))

    def refine(
        self,
        keypoints: Tensor,
        start: BodyParameters,
        settings: FitSettings = REFINEMENT,
        cameras: Tensor | None = None,
    ) -> BodyParameters:
        """Descend from a network's answer.

        Shapes: keypoints [B,J,3] px, confidence; parameters as AnnyDecoder's; cameras [B,3] focal length and principal
        point in pixels, guessed where they are not given.
        """
        rays = guess_rays(keypoints) if cameras is None else _rays_of(keypoints, cameras)
        return self._descend(rays, keypoints[..., 2], start, settings)[0]

    def fit(self, keypoints: Tensor, settings: FitSettings | None = None) -> BodyParameters:
        """Descend from the mean pose, seen from four sides; the side of the least energy after a third goes on."""
        settings = settings or FitSettings()
        count, rays = len(keypoints), guess_rays(keypoints)
        trial = FitSettings(**{**vars(settings), "iterations": max(1, settings.iterations // 3)})
        starts = self._starts(count, keypoints.device)
        many = rays.repeat(_HEADINGS, 1, 1), keypoints[..., 2].repeat(_HEADINGS, 1)
        found, energy = self._descend(*many, starts, trial)
        best = energy.unflatten(0, (_HEADINGS, count)).argmin(0)
        best = best * count + torch.arange(count, device=best.device)  # [B]
        start = BodyParameters(found.rotations[best], found.betas[best])
        rest = FitSettings(**{**vars(settings), "iterations": settings.iterations - trial.iterations})
        return self._descend(rays, keypoints[..., 2], start, rest)[0]

    def _starts(self, count: int, device: torch.device) -> BodyParameters:
        """The mean pose in every heading, [4B, ...]."""
        yaw = torch.arange(_HEADINGS) * (2 * torch.pi / _HEADINGS)
        root = _UPRIGHT @ rotvec_to_rotmat(torch.tensor([0.0, 1.0, 0.0]) * yaw[:, None])  # [4, 3, 3]
        root = root.repeat_interleave(count, 0).to(device)
        pose = rotvec_to_rotmat(self.mixture.mean_pose()).expand(len(root), -1, -1, -1)
        return BodyParameters(_chain(root, pose), torch.zeros(len(root), self.decoder.num_shape, device=device))

    def _descend(
        self, rays: Tensor, confidence: Tensor, start: BodyParameters, settings: FitSettings
    ) -> tuple[BodyParameters, Tensor]:
        """(parameters, energy [B]) after all iterations of Adam."""
        with torch.inference_mode(False), torch.enable_grad():
            rays, confidence, world, betas = (
                x.detach().float().clone() for x in (rays, confidence, start.rotations, start.betas)
            )
            root, pose = world[:, 0], rotmat_to_rotvec(relative_rotations(world, MOTION_PARENTS)[:, 1:])
            free = _Variables(torch.zeros_like(pose[:, 0]), pose.clone(), betas)
            for variable in free:
                variable.requires_grad_()
            optimizer = torch.optim.Adam(free, lr=settings.learning_rate)
            for _ in range(settings.iterations):
                energy = self._energy(free, root, pose, rays, confidence, settings)
                optimizer.zero_grad(set_to_none=True)
                energy.sum().backward()
                optimizer.step()
            energy = self._energy(free, root, pose, rays, confidence, settings).detach()
        parameters = _to_parameters(free, root)
        return BodyParameters(parameters.rotations.detach(), parameters.betas.detach()), energy

    def _energy(
        self, free: _Variables, root: Tensor, pose: Tensor, rays: Tensor, confidence: Tensor, settings: FitSettings
    ) -> Tensor:
        """Energy [B]; people do not know of each other, so the sum may be descended on."""
        joints = self.decoder.joints(_to_parameters(free, root))[:, self.columns]
        weights = confidence[:, self.rows]
        squared = reprojection_errors(joints, rays[:, self.rows], weights).square()  # [B, K]
        limit = settings.robust**2
        data = (weights * limit * squared / (squared + limit)).sum(1)  # Geman & McClure 1987
        turned = free.turn.square().sum(1) + (free.pose - pose).square().sum((1, 2))
        return (
            settings.reprojection * data
            + settings.prior * self.mixture.energy(free.pose)
            + settings.shape * free.betas.square().sum(1)
            + settings.anchor * turned
        )


class RefinedNetwork:
    """A parameter network whose answers are refined; stands in its place in `Pose2Mesh`.

    Raises InputError for a network that gives more than parameters of the free body, or none.
    """

    def __init__(self, network: Any, settings: FitSettings = REFINEMENT):
        abilities = abilities_of(network)
        if not abilities.fitted_set or abilities.adapted != "parameters":
            raise InputError(
                "only networks of body parameters alone are refined: use weights such as anny-key2mesh (anny-body and "
                "the like are fitted to their keypoints without being asked)"
            )
        self.network, self.settings = network, settings
        # Its answers are fitted as the network's own are
        self.abilities = replace(abilities, spares_mesh=False, asks_for_cameras=True)
        self.joint_set, self.output_joint_names = network.joint_set, network.output_joint_names
        self.faces, self.decoder = network.faces, network.decoder
        self.fitter = BodyFitter(network.decoder, network.joint_set)

    def __call__(self, keypoints: Tensor) -> BodyPrediction:
        """keypoints [B,J,3] (pixels, confidence) to BodyPrediction; the camera is guessed."""
        return self.seen_by(keypoints, None)

    def seen_by(self, keypoints: Tensor, cameras: Tensor | None) -> BodyPrediction:
        """As a plain call, by cameras [B,3] as `BodyFitter.refine` takes them."""
        start = self.network.parameters_of(keypoints)
        return self.network.decoder(self.fitter.refine(keypoints, start, self.settings, cameras))


def _rays_of(keypoints: Tensor, cameras: Tensor) -> Tensor:
    """Rays [B,J,2] of keypoints [B,J,3] before cameras [B,3]; 0 where missing, as `guess_rays` has them."""
    focal, center = cameras[:, None, :1], cameras[:, None, 1:]
    return torch.where(keypoints[..., 2:] > 0, (keypoints[..., :2] - center) / focal, 0.0)


def _chain(root: Tensor, relative: Tensor) -> Tensor:
    """World rotations [B,19,3,3] of the root's [B,3,3] and of the others' [B,18,3,3] against their parents."""
    return world_rotations(torch.cat([root[:, None], relative], 1), MOTION_PARENTS)


def _to_parameters(free: _Variables, root: Tensor) -> BodyParameters:
    return BodyParameters(_chain(rotvec_to_rotmat(free.turn) @ root, rotvec_to_rotmat(free.pose)), free.betas)
