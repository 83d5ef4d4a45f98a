"""Key2Mesh (Uguz et al., CVPRW 2024): 2D keypoints to body parameters by a residual MLP and a parameter head.

Two feature extractors behind one interface: the compact network's (confidences in, layer norms), which is the default,
and the published one (`PublishedFeatures`: no confidences, batch norms, PReLU, dropout), whose checkpoints load.
"""

from typing import Any

import torch
from torch import Tensor, nn

from pose2mesh.body_models.anny import mirror_rotations
from pose2mesh.geometry.rotation import rot6d_to_rotmat, rotmat_to_rot6d
from pose2mesh.networks.abilities import Abilities
from pose2mesh.networks.body_decoders import BodyDecoder
from pose2mesh.networks.lifter import PoseFeatures, estimate_parameters, start_at_rest
from pose2mesh.networks.prediction import BodyParameters, BodyPrediction
from pose2mesh.skeletons import joint_set as find_joint_set

LEAST_CONFIDENCE = 0.1  # below it the published network takes a joint for missing


class PublishedBlock(nn.Module):
    """x + two times linear, batch norm, PReLU, dropout; module names as in the published checkpoints."""

    def __init__(self, width: int, dropout: float):
        super().__init__()
        self.block = nn.Sequential(*_layer(width, width, dropout), *_layer(width, width, dropout))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x)


class PublishedFeatures(nn.Module):
    """The published extractor: 2D joints scaled by their box to features; 4.2 million weights at 18 joints."""

    def __init__(self, joints_in: int, width: int = 1024, blocks: int = 2, dropout: float = 0.2):
        super().__init__()
        self.width = width
        residual = [PublishedBlock(width, dropout) for _ in range(blocks)]
        self.block = nn.Sequential(*_layer(2 * joints_in, width, dropout), *residual)

    def features(self, keypoints: Tensor) -> Tensor:
        """keypoints [B,J,3] (x, y, confidence) to features [B,C]."""
        return self.block(normalize_box(keypoints.float()).flatten(1)).float()


class PublishedHead(nn.Module):
    """The published parameter head: a residual block and a linear map."""

    def __init__(self, width: int, outputs: int, dropout: float = 0.2):
        super().__init__()
        self.block = nn.Sequential(PublishedBlock(width, dropout), nn.Linear(width, outputs))

    def forward(self, features: Tensor) -> Tensor:
        return self.block(features)


class Key2Mesh(nn.Module):
    """Keypoints to rotations and shape, and through the body model to joints and the mesh.

    `lifter` extracts features [B, C] and is what adaptation changes; `head` maps them to shape, then 6D rotations.
    """

    flip_in: Tensor  # [J] mirror partner of each joint
    mirror_signs: Tensor  # [3]

    def __init__(
        self,
        lifter: PoseFeatures | PublishedFeatures,
        head: nn.Module,
        decoder: BodyDecoder,
        *,
        joint_set: str,
        mirrored: bool = False,
    ):
        """`mirrored`: answers are the mean of the pose's and its mirror image's, like the compact network's joints."""
        super().__init__()
        self.lifter, self.head, self.decoder = lifter, head, decoder
        self.joint_set, self.output_joint_names = joint_set, decoder.joint_set.joints
        self.faces, self.mirrored = decoder.faces, mirrored
        partners = torch.tensor(find_joint_set(joint_set).flip_permutation)
        self.register_buffer("flip_in", partners, persistent=False)
        self.register_buffer("mirror_signs", torch.tensor([-1.0, 1.0, 1.0]), persistent=False)
        fitted_set = decoder.joint_set.name if decoder.is_fitted else ""
        self.abilities = Abilities(
            body=decoder.body.name, fitted_set=fitted_set, has_decoder=True, spares_mesh=True, adapted="parameters"
        )
        start_at_rest(head, decoder.rest6d, decoder.num_shape)

    def estimate(self, features: Tensor) -> BodyParameters:
        """Features [B,C] to parameters."""
        return estimate_parameters(self.head, features, self.decoder.num_shape)

    def parameters_of(self, keypoints: Tensor) -> BodyParameters:
        """keypoints [B,J,3] (x, y in any unit, confidence) to parameters."""
        if not self.mirrored:
            return self.estimate(self.lifter.features(keypoints))
        image = keypoints.index_select(1, self.flip_in) * self.mirror_signs
        return mean_of_views(self.estimate(self.lifter.features(torch.cat([keypoints, image]))))

    def forward(self, keypoints: Tensor) -> BodyPrediction:
        """keypoints [B,J,3] (x, y in any unit, confidence) to BodyPrediction in metres."""
        return self.decoder(self.parameters_of(keypoints))

    def without_mesh(self, keypoints: Tensor) -> BodyPrediction:
        """As `forward`, with vertices [B,0,3]."""
        parameters = self.parameters_of(keypoints)
        joints = self.decoder.joints(parameters)
        return BodyPrediction(joints[:, :0], joints, parameters)

    def objective(self, stage: Any, data: Any) -> nn.Module:
        """The loss of a stage of training, as `CompactPose2Mesh.objective`."""
        from pose2mesh.losses.parameters import ParameterObjective  # training alone pays for its import

        self.lifter.requires_grad_(not stage.frozen_lifter)
        return ParameterObjective(self, self.decoder.of_vertices(data.vertex_ids), stage.loss)


def mean_of_views(both: BodyParameters) -> BodyParameters:
    """Anny's parameters [B] between those [2B] of poses and, after them, of the poses in the mirror."""
    pose, image = both.rotations.unflatten(0, (2, -1))  # chunk(2) cannot be exported
    rotations = rot6d_to_rotmat(rotmat_to_rot6d(pose + mirror_rotations(image)))
    return BodyParameters(rotations, both.betas.unflatten(0, (2, -1)).mean(0))


def normalize_box(keypoints: Tensor) -> Tensor:
    """Divide by the longer side of the box of the visible joints, center at 0.5; missing joints lie at the center.

    Shapes: keypoints [B,J,3] (x, y in any unit, confidence); returns [B,J,2].
    """
    points = keypoints[..., :2]
    visible = keypoints[..., 2:] >= LEAST_CONFIDENCE  # [B, J, 1]
    low = torch.where(visible, points, torch.full_like(points, torch.inf)).amin(1, keepdim=True)  # [B, 1, 2]
    high = torch.where(visible, points, torch.full_like(points, -torch.inf)).amax(1, keepdim=True)
    low, high = (torch.where(visible.any(1, keepdim=True), side, torch.zeros_like(side)) for side in (low, high))
    scale = (high - low).amax(-1, keepdim=True).clamp(min=1e-6)
    inside = torch.where(visible, points - (low + high) / 2, torch.zeros_like(points))
    return inside / scale + 0.5


def _layer(inputs: int, outputs: int, dropout: float) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.PReLU(), nn.Dropout(dropout)]
