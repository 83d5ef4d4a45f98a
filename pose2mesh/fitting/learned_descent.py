"""Learned gradient descent (Song et al. 2020, ECCV, "Human Body Model Fitting by Learned Gradient Descent").

Instead of a step along the gradient of the re-projection error E, a network proposes one, the same at every step:

    Θ' = Θ + N(x, Θ, ∂E/∂Θ),

with the keypoints x, and Θ the shape and the 6D rotations of the body, which starts upright and average. It stands
between the parameter network, which looks at x alone and once, and descent (`fitting.optimize`), which knows E alone.
Ours: the camera is solved within E in closed form where the paper assumes one, rotations are 6D, and x enters through
the parameter network's feature extractor, so that training can start from its weights.
"""

from typing import Any

import torch
from torch import Tensor, nn

from pose2mesh.body_models import LinearBlendBody
from pose2mesh.errors import InputError
from pose2mesh.geometry.placement import guess_rays, reprojection_errors
from pose2mesh.geometry.rotation import rot6d_to_rotmat
from pose2mesh.losses.parameters import ParameterLoss
from pose2mesh.losses.targets import Batch
from pose2mesh.networks.abilities import Abilities
from pose2mesh.networks.body_decoders import AnnyDecoder
from pose2mesh.networks.lifter import PoseFeatures, normalize_pose
from pose2mesh.networks.prediction import BodyParameters, BodyPrediction
from pose2mesh.skeletons import joint_set as find_joint_set

_FEWEST_SHARED = 6  # joints that keypoints and body have in common: fewer fix neither camera nor pose
_PIXELS = 100.0  # normalized poses times this: their camera is guessed from pixels
_FIRST_STEP = 0.1  # of a fresh linear map


class LearnedDescent(nn.Module):
    """Keypoints to parameters by `steps` proposed updates, and through the body model to joints and the mesh."""

    abilities = Abilities(has_decoder=True, spares_mesh=True, differentiates=True)
    start: Tensor  # [D], D = S + 6R

    def __init__(self, lifter: PoseFeatures, decoder: AnnyDecoder, *, joint_set: str, steps: int = 4):
        """Raises InputError for a joint set that has too few joints of the body."""
        super().__init__()
        self.lifter, self.decoder, self.steps = lifter, decoder, steps
        self.joint_set, self.output_joint_names = joint_set, decoder.joint_set.joints
        self.faces = decoder.faces
        names = decoder.joint_set.joints
        pairs = [(i, names.index(j)) for i, j in enumerate(find_joint_set(joint_set).joints) if j in names]
        if len(pairs) < _FEWEST_SHARED:
            raise InputError(
                f"network.joint_set: {joint_set} has {len(pairs)} joints of the body, and descent on the re-projection "
                f"error needs {_FEWEST_SHARED}; take another set, such as coco17"
            )
        self.rows, self.columns = (list(column) for column in zip(*pairs, strict=True))
        start = torch.cat([torch.zeros(decoder.num_shape), decoder.rest6d.flatten()])
        self.register_buffer("start", start, persistent=False)
        self.state = nn.Linear(2 * len(start), lifter.width)  # parameters and their gradient
        self.propose = nn.Linear(lifter.width, len(start))
        with torch.no_grad():
            self.propose.weight.mul_(_FIRST_STEP)
            self.propose.bias.zero_()

    def descend(self, keypoints: Tensor) -> list[Tensor]:
        """keypoints [B,J,3] (x, y in any unit, confidence) to the parameters [B,D] after every step."""
        pose = normalize_pose(keypoints.float())  # [B, J, 3]
        rays = guess_rays(pose * pose.new_tensor([_PIXELS, _PIXELS, 1.0]))
        seen = self.lifter.stem(pose.flatten(1))  # [B, C], the same at every step
        found = [self.start.expand(len(pose), -1)]
        for _ in range(self.steps):
            state = torch.cat([found[-1], self.gradient(found[-1], rays, pose[..., 2])], 1)  # [B, 2D]
            features = self.lifter.norm(self.lifter.blocks(seen + self.state(state)).float())
            with torch.autocast(features.device.type, enabled=False):  # bfloat16 is too coarse for angles
                found.append(found[-1] + self.propose(features))
        return found[1:]

    def gradient(self, parameters: Tensor, rays: Tensor, confidence: Tensor) -> Tensor:
        """∂E/∂Θ [B,D] at parameters [B,D], for rays [B,J,2] and confidences [B,J]; a number, nothing flows through it.

        E is the weighted mean of squared re-projection errors, in sizes of the person.
        """
        device = parameters.device.type
        with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device, enabled=False):
            # Copies: what is made in inference mode, as `test` runs, could not be descended through.
            free, rays, weights = (x.detach().float().clone() for x in (parameters, rays, confidence))
            free.requires_grad_()
            joints = self.decoder.joints(self.parameters_of(free))[:, self.columns]
            weights = weights[:, self.rows]
            squared = reprojection_errors(joints, rays[:, self.rows], weights).square()
            energy = (weights * squared).sum(1) / weights.sum(1).clamp(min=1e-6)  # [B]
            return torch.autograd.grad(energy.sum(), free)[0]  # people do not know of each other

    def parameters_of(self, state: Tensor) -> BodyParameters:
        """Shape, then 6D rotations, [B,D] to the body's parameters."""
        shape = self.decoder.num_shape
        return BodyParameters(rot6d_to_rotmat(state[:, shape:].unflatten(1, (-1, 6))), state[:, :shape])

    def fit(self, keypoints: Tensor) -> BodyParameters:
        """keypoints [B,J,3] (x, y in any unit, confidence) to the parameters after the last step."""
        return self.parameters_of(self.descend(keypoints)[-1])

    def forward(self, keypoints: Tensor) -> BodyPrediction:
        """keypoints [B,J,3] (x, y in any unit, confidence) to BodyPrediction in metres."""
        return self.decoder(self.fit(keypoints))

    def without_mesh(self, keypoints: Tensor) -> BodyPrediction:
        """As `forward`, with vertices [B,0,3]."""
        parameters = self.fit(keypoints)
        joints = self.decoder.joints(parameters)
        return BodyPrediction(joints[:, :0], joints, parameters)

    def objective(self, stage: Any, data: Any) -> nn.Module:
        """The loss of a stage of training, as `CompactPose2Mesh.objective`."""
        self.lifter.requires_grad_(not stage.frozen_lifter)
        return DescentObjective(self, ParameterLoss(self.decoder.of_vertices(data.vertex_ids), stage.loss))


class DescentObjective(nn.Module):
    """The parameter network's loss, mean over the steps, for the paper looks at each; shown: the parts of the last."""

    def __init__(self, network: LearnedDescent, loss: ParameterLoss):
        super().__init__()
        self.network, self.loss = network, loss

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        found = [self.loss(self.network.parameters_of(state), batch) for state in self.network.descend(batch.keypoints)]
        return torch.stack([total for total, _ in found]).mean(), found[-1][1]


def build_learned_descent(settings: dict[str, Any], body: LinearBlendBody) -> LearnedDescent:
    """From the `network` section of a configuration. Raises InputError for a body without sampled parameters."""
    if not body.kind.is_sampled_with_parameters:
        raise InputError(
            f"network.body: learned descent is trained on anny-body, whose samples tell their parameters, not on "
            f"{settings['body']}"
        )
    joints, lifter = find_joint_set(settings["joint_set"]), settings["lifter"]
    features = PoseFeatures(len(joints), lifter["width"], lifter["blocks"])
    steps = settings["parameters"]["steps"]
    return LearnedDescent(features, AnnyDecoder(body), joint_set=joints.name, steps=steps)  # pyright: ignore[reportArgumentType]
