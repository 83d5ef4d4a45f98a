"""The answer fits its own keypoints: a few steps of Levenberg & Marquardt from a network's answer.

Unknown are rotations of the captured bones, shape and place. The squared residuals of one person: re-projection of its
keypoints (robust: Geman & McClure 1987), the network's joints in units of their deviation, a few dozen vertices of the
network's mesh, and how far pose and shape went. Points of a skinned body are sums of rotated levers (see
`body_models.reduced`), so for R <- exp(w) R the Jacobian is exact: d(R a)/dw = -[R a]x.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh.body_models import AnnyBody, load_body_model
from pose2mesh.body_models.levers import point_levers
from pose2mesh.body_models.reduced import ReducedBody
from pose2mesh.fitting.hidden_legs import decide_legs
from pose2mesh.fitting.subject import KnownShape
from pose2mesh.geometry.placement import NEAREST, place_bodies
from pose2mesh.geometry.rotation import rotvec_to_rotmat
from pose2mesh.networks.abilities import abilities_of
from pose2mesh.networks.prediction import BodyParameters, BodyPrediction, UncertainPrediction
from pose2mesh.skeletons import MOTION_BONES, MOTION_PARENTS, joint_set

BONES = len(MOTION_PARENTS)
_SHANKS = [i for i, bone in enumerate(MOTION_BONES) if bone.startswith("lowerleg")]

Answer = BodyPrediction | UncertainPrediction
Known = Sequence[KnownShape | None]


@dataclass(frozen=True)
class QuickFitSettings:
    """Standard deviations of what the fit trusts."""

    steps: int = 3
    keypoint: float = 0.011  # m at the person's distance, for confidence 1, and at least
    noise: float = 0.117  # of the mean deviation of the joints seen: where the network is not sure keypoints are noisy
    robust: float = 0.06  # m: keypoints farther off hardly pull
    joint: float = 1.0  # of the network's deviations
    unknown: float = 0.08  # m: deviation of the joints of networks that tell none
    vertex: float = 0.2  # m
    turn: float = 0.4  # rad of a bone, and of a bone against its parent
    knee: float = 0.05  # rad of a shank against its thigh: a leg that looks short would always bend it
    shape: float = 0.5  # of shape coefficients, whose deviation among people is 1
    damping: float = 1e-3
    # What the fit makes of people of whom the network is sure is nearer than the network says: below a mean deviation
    # of `sure` m deviations fall by this power of it (calibrated on fitted answers, docs/decisions/0085-quick-fit.md).
    sure: float = 0.09
    sureness: float = 0.3


class QuickFit(nn.Module):
    """Fits Anny's parameters to keypoints in the order of one joint set, many people at once."""

    levers: Tensor  # [P, G, 3, 1+S] of joints, then mesh points, relative to the root joint
    shares: Tensor  # [G, 19] of each captured bone's turn in a group's
    prior: Tensor  # [D, D] precision, D = 57 turns, S shape, 3 place

    def __init__(
        self, body: AnnyBody, output_joints: str, settings: QuickFitSettings | None = None, mesh_points: int = 64
    ):
        """`mesh_points`: how many vertices of the network's mesh the body follows."""
        super().__init__()
        self.settings = settings or QuickFitSettings()
        self.body, self.set = body, joint_set(output_joints)
        self.reduced = ReducedBody(body, np.arange(len(body.v_template)), output_joints)
        assert self.set.root is not None  # all sets that networks return have one
        self.root = self.set.index(self.set.root)
        self.mesh_points = spread_points(body.v_template.numpy(), mesh_points)
        levers = point_levers(self.reduced, self.mesh_points)
        self.register_buffer("levers", levers - levers[self.root], persistent=False)
        self.register_buffer("shares", body.turn_shares(), persistent=False)
        self.register_buffer("prior", _prior(body.num_shape, self.settings), persistent=False)

    def forward(self, answer: Answer, rays: Tensor, with_mesh: bool = True, known: Known | None = None) -> Answer:
        """The network's answer with the body that fits in its place; vertices [B,0,3] unless `with_mesh`.

        `rays` [B,J,3]: x, y in focal lengths from the principal point, and confidence, where 0 leaves a joint out.
        `known` [B]: shapes of subjects, None where nothing is known of one.
        """
        told = answer.deviation
        answer, prior = (answer, self.prior) if known is None else self._resized(answer, known)
        parameters = self.fit(answer, rays, prior)
        parameters = parameters._replace(rotations=decide_legs(parameters.rotations, rays[..., 2], self.set))
        groups = self.body.expand_groups(parameters.rotations)
        joints = self.reduced.joints(parameters.betas, groups)
        pelvis = joints[:, self.root, None]
        vertices = self.reduced.skin(parameters.betas, groups) - pelvis if with_mesh else joints[:, :0]
        parts = {"vertices": vertices, "joints": joints - pelvis, "parameters": parameters}
        if told is not None and answer.deviation is not None:
            parts["deviation"] = answer.deviation * self._error_left(told, rays[..., 2])
        return answer._replace(**parts)

    def joints(self, parameters: BodyParameters) -> Tensor:
        """Joints [B,J,3] m of the set, relative to its root, of bodies with these parameters."""
        parameters = BodyParameters(*(part.to(self.levers) for part in parameters))
        joints = self.reduced.joints(parameters.betas, self.body.expand_groups(parameters.rotations))
        return joints - joints[:, self.root, None]

    def _error_left(self, deviation: Tensor, confidence: Tensor) -> Tensor:
        """What is left of a network's deviations [B,J] once its answer is fitted: [B,1], at most 1."""
        share = _mean_of_seen(deviation, confidence) / self.settings.sure
        share = torch.where(confidence.any(1, keepdim=True), share, 1.0)  # nothing to fit to
        return share.clamp(max=1) ** self.settings.sureness

    def _resized(self, answer: Answer, known: Known) -> tuple[Answer, Tensor]:
        """An answer of the size that the subjects have, and the prior [B,D,D] with what is known of their shapes."""
        count, betas = len(self.set), answer.parameters.betas.clone()
        prior, turns = self.prior.repeat(len(betas), 1, 1), 3 * BONES
        for i, shape in enumerate(known):
            if shape is not None:
                betas[i] = shape.mean
                prior[i, turns:-3, turns:-3] = shape.precision.to(prior)
        state = BodyParameters(answer.parameters.rotations, betas)
        own, joints = self.linearize(state)[0][:, :count], answer.joints
        scale = (own * joints).sum((1, 2)) / joints.square().sum((1, 2))  # [B], least squares
        scale = torch.where(torch.tensor([shape is None for shape in known], device=scale.device), 1.0, scale)
        parts = {"vertices": answer.vertices * scale[:, None, None], "joints": joints * scale[:, None, None]}
        if answer.deviation is not None:
            parts["deviation"] = answer.deviation * scale[:, None]
        return answer._replace(**parts, parameters=state), prior

    def fit(self, answer: Answer, rays: Tensor, prior: Tensor | None = None) -> BodyParameters:
        """Parameters after all steps, from the answer's own; as `forward`. An answer without mesh has that of those.

        `prior` [..., D, D] in place of its own.
        """
        prior = self.prior if prior is None else prior
        given, count = self.settings, len(self.set)
        mesh = answer.vertices
        mesh = mesh[:, self.mesh_points] if mesh.shape[1] else self.linearize(answer.parameters)[0][:, count:]
        goal = torch.cat([answer.joints, mesh], 1)  # [B, P, 3]
        deviation = answer.deviation
        sigma = torch.full_like(goal[..., 0], given.vertex)  # [B, P]
        sigma[:, :count] = given.joint * (given.unknown if deviation is None else deviation)
        return self.solve(answer.parameters, goal, sigma, rays, prior)

    def solve(
        self, state: BodyParameters, goal: Tensor, sigma: Tensor, rays: Tensor, prior: Tensor | None = None,
        linear: tuple[Tensor, Tensor] | None = None,
    ) -> BodyParameters:  # fmt: skip
        """From `state` towards points `goal` [B,P,3], each with a deviation `sigma` [B,P] m, and the rays.

        `linear`: what `linearize` says of the state, where that is known.
        """
        prior = self.prior if prior is None else prior
        rays, confidence = rays[..., :2], rays[..., 2]
        given, count = self.settings, len(self.set)
        place = place_bodies(goal[:, :count], rays, confidence)  # [B, 3]
        distance = place[:, None, 2:]  # [B, 1, 1] turns rays to metres
        gone = goal.new_zeros(len(goal), prior.shape[-1], 1)
        noise = (given.noise * _mean_of_seen(sigma[:, :count], confidence)).clamp(min=given.keypoint)  # [B, 1] m
        for _ in range(given.steps):
            points, slopes = self.linearize(state) if linear is None else linear  # [B, P, 3], [B, P, 3, D-3]
            linear = None
            errors, by_point = _project(points[:, :count], place, rays)
            errors = errors * distance
            squared, limit = errors.square().sum(-1), given.robust**2
            trust = confidence.sqrt() * limit / (squared + limit) / noise  # [B, J] root of the weight
            by_point = by_point * (distance * trust[..., None])[..., None]
            rows = slopes.new_zeros(len(goal), 2 * count + 3 * goal.shape[1], prior.shape[-1])  # written once
            rows[:, : 2 * count, :-3] = (by_point @ slopes[:, :count]).flatten(1, 2)
            rows[:, : 2 * count, -3:] = by_point.flatten(1, 2)
            rows[:, 2 * count :, :-3] = (slopes / sigma[..., None, None]).flatten(1, 2)
            residual = torch.cat(
                [(errors * trust[..., None]).flatten(1), ((points - goal) / sigma[..., None]).flatten(1)], 1
            )
            normal = rows.transpose(1, 2) @ rows + prior
            slope = rows.transpose(1, 2) @ residual[..., None] + prior @ gone
            step = -torch.linalg.solve(normal, slope)  # [B, D, 1]
            gone = gone + step
            turn, shape, shift = step[..., 0].split([3 * BONES, self.body.num_shape, 3], 1)
            rotations = rotvec_to_rotmat(turn.unflatten(1, (BONES, 3))) @ state.rotations
            state = BodyParameters(rotations, state.betas + shape)
            place = place + shift
            place = torch.cat([place[:, :2], place[:, 2:].clamp(min=NEAREST)], 1)
        return state

    def linearize(self, state: BodyParameters) -> tuple[Tensor, Tensor]:
        """Points [B,P,3] m, root-relative, and their Jacobian [B,P,3,57+S] by turns of the bones, then shape."""
        groups = self.body.expand_groups(state.rotations)  # [B, G, 3, 3]
        one = torch.cat([torch.ones_like(state.betas[:, :1]), state.betas], 1)
        levers = torch.einsum("pgis,bs->bgip", self.levers, one)
        turned = groups @ levers  # [B, G, 3, P]
        by_bone = torch.einsum("gk,bgip->bpki", self.shares, turned)  # [B, P, 19, 3]
        slopes = by_bone.new_zeros(*by_bone.shape[:2], 3, 3 * BONES + state.betas.shape[1])
        turns = slopes[..., : 3 * BONES].unflatten(-1, (BONES, 3))  # [B, P, 3, 19, 3]: -[v]x of each bone
        for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
            turns[:, :, i, :, j] = by_bone[..., k]
            turns[:, :, j, :, i] = -by_bone[..., k]
        slopes[..., 3 * BONES :] = torch.einsum("bgij,pgjs->bpis", groups, self.levers[..., 1:])
        return turned.sum(1).transpose(1, 2), slopes


def quick_fit_of(network: Any) -> QuickFit | None:
    """The fit for a network's answers; None where it gives no parameters of the free body, or fits by itself."""
    abilities = abilities_of(network)
    if not abilities.fitted_set:
        return None
    return QuickFit(load_body_model(abilities.body), abilities.fitted_set)  # pyright: ignore[reportArgumentType]


def spread_points(points: np.ndarray, count: int) -> np.ndarray:
    """Indices [count] of points [V,3] far from one another, each the farthest from those before (Gonzalez 1985)."""
    chosen = [int(points[:, 1].argmax())]
    distance = np.full(len(points), np.inf)
    while len(chosen) < count:
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
        chosen.append(int(distance.argmax()))
    return np.array(chosen[:count])


def _mean_of_seen(deviation: Tensor, confidence: Tensor) -> Tensor:
    """Mean [B,1] of the joints' deviations [B,J] by their confidences [B,J]."""
    seen = confidence / confidence.sum(1, keepdim=True).clamp(min=1e-6)
    return (seen * deviation).sum(1, keepdim=True)


def _prior(num_shape: int, settings: QuickFitSettings) -> Tensor:
    """Precision [D,D] of how far bones turn, by themselves and against their parents, and shape changes."""
    between = torch.eye(BONES)
    for bone, parent in enumerate(MOTION_PARENTS[1:], 1):
        between[bone, parent] = -1
    between[0, 0] = 0  # the root is free
    deviation = torch.full((BONES, 1), settings.turn)
    deviation[_SHANKS] = settings.knee
    turns = (between / deviation).T @ (between / deviation) + torch.eye(BONES) / (2 * settings.turn) ** 2
    parts = torch.kron(turns, torch.eye(3)), torch.eye(num_shape) / settings.shape**2, torch.zeros(3, 3)
    prior = torch.block_diag(*parts)
    return prior + settings.damping * torch.eye(len(prior))


def _project(points: Tensor, place: Tensor, rays: Tensor) -> tuple[Tensor, Tensor]:
    """Errors [B,J,2] in focal lengths and their Jacobian [B,J,2,3] by the points, or by the place."""
    x, y, z = (points + place[:, None]).unbind(-1)  # [B, J]
    z = z.clamp(min=NEAREST / 2)
    flat = torch.stack([x / z, y / z], -1)  # [B, J, 2]
    o, near = torch.zeros_like(z), 1 / z
    by_point = torch.stack([near, o, -x * near**2, o, near, -y * near**2], -1).unflatten(-1, (2, 3))
    return flat - rays, by_point
