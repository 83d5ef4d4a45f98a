"""An image backbone: ResNet-50 and an iterative head (HMR, Kanazawa et al. 2018; SPIN, Kolotouros et al. 2019).

The head refines pose (6D rotations), shape and a weak-perspective camera three times from the mean. Module names and
the order of its numbers are those of the published checkpoints.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pose2mesh.geometry.rotation import rot6d_to_rotmat
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.networks.resnet import STAGES, ResNet

PIXEL_MEAN, PIXEL_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of values in [0, 1]
ITERATIONS = 3


class ImagePrediction(NamedTuple):
    parameters: BodyParameters
    camera: Tensor  # [B, 3] scale and shift (x, y): picture = scale (X + shift), both in half sides


class Spin(ResNet):
    """Pictures to the parameters of a body with `rotations` rotations and `shapes` shape coefficients."""

    init_pose: Tensor  # [1, 6R]
    init_shape: Tensor  # [1, S]
    init_cam: Tensor  # [1, 3]

    def __init__(
        self,
        rest6d: Tensor,
        shapes: int,
        *,
        stages: tuple[int, ...] = STAGES,
        base: int = 64,
        width: int = 1024,
        dropout: float = 0.5,
        shrink: int = 1,
    ):
        """`rest6d` [R,6]: where the iteration starts; the columns of the rotations, one after the other.

        `shrink`: squares of so many pixels a side become one when pictures are normalized, for small networks on a CPU.
        """
        super().__init__(stages, base)
        self.shrink = shrink
        pose = rest6d.numel()
        self.fc1 = nn.Linear(self.num_features + pose + shapes + 3, width)
        self.drop1 = nn.Dropout(dropout)
        self.fc2 = nn.Linear(width, width)
        self.drop2 = nn.Dropout(dropout)
        self.decpose, self.decshape, self.deccam = (nn.Linear(width, n) for n in (pose, shapes, 3))
        for layer in (self.decpose, self.decshape, self.deccam):
            nn.init.xavier_uniform_(layer.weight, gain=0.01)
            nn.init.zeros_(layer.bias)
        interleaved = rest6d.unflatten(1, (2, 3)).transpose(1, 2).reshape(1, -1)  # published: row by row
        self.register_buffer("init_pose", interleaved)
        self.register_buffer("init_shape", torch.zeros(1, shapes))
        self.register_buffer("init_cam", torch.tensor([[0.9, 0.0, 0.0]]))

    def forward(self, images: Tensor) -> ImagePrediction:
        """Normalized pictures [B,3,H,W] (`normalize_images`) to parameters and camera."""
        return self.estimate(self.features(images))

    def estimate(self, features: Tensor) -> ImagePrediction:
        """Features [B,C] to parameters and camera."""
        count = len(features)
        pose, shape, camera = (x.expand(count, -1) for x in (self.init_pose, self.init_shape, self.init_cam))
        for _ in range(ITERATIONS):
            hidden = self.drop1(self.fc1(torch.cat([features, pose, shape, camera], 1)))
            hidden = self.drop2(self.fc2(hidden))  # no nonlinearity, as published
            pose = pose + self.decpose(hidden)
            shape = shape + self.decshape(hidden)
            camera = camera + self.deccam(hidden)
        columns = pose.unflatten(1, (-1, 3, 2)).transpose(-1, -2).flatten(2)  # [B, R, 6]
        return ImagePrediction(BodyParameters(rot6d_to_rotmat(columns), shape), camera)


def normalize_images(images: Tensor, shrink: int = 1) -> Tensor:
    """Pictures uint8 [B,H,W,3] to what a network of that `shrink` takes, [B,3,H/shrink,W/shrink]."""
    pixels = images.permute(0, 3, 1, 2).float()  # channels stay last in memory, which convolutions like
    if shrink > 1:
        pixels = F.avg_pool2d(pixels, shrink)
    mean, deviation = (255 * pixels.new_tensor(values)[:, None, None] for values in (PIXEL_MEAN, PIXEL_DEVIATION))
    return pixels.sub_(mean).div_(deviation)
