"""Image backbones: features of a picture and an iterative head (HMR, Kanazawa 2018; SPIN, Kolotouros 2019).

The head refines pose (6D rotations), shape and a weak-perspective camera three times from the mean. Module names and
the order of its numbers are those of the published checkpoints. Every backbone takes pictures in three calls: `look`
prepares them without gradients, `features` and `estimate` are what learns. The features are those of ResNet-50 (He
et al. 2016), stride in the 3x3 convolution.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pose2mesh.geometry.rotation import rot6d_to_rotmat
from pose2mesh.networks.prediction import BodyParameters

STAGES = (3, 4, 6, 3)  # blocks of each
_EXPANSION = 4
PIXEL_MEAN, PIXEL_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of values in [0, 1]
ITERATIONS = 3
_LEAST_DEVIATION = 0.05  # share of the deviation of all numbers together


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions around a skip."""

    def __init__(self, channels_in: int, width: int, stride: int):
        super().__init__()
        channels_out = _EXPANSION * width
        self.conv1, self.bn1 = nn.Conv2d(channels_in, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, channels_out, 1, bias=False), nn.BatchNorm2d(channels_out)
        changes = stride != 1 or channels_in != channels_out
        self.downsample = (
            nn.Sequential(nn.Conv2d(channels_in, channels_out, 1, stride, bias=False), nn.BatchNorm2d(channels_out))
            if changes
            else None
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        skip = self.downsample(x) if self.downsample else x
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.relu(self.bn3(self.conv3(x)) + skip)


class ResNet(nn.Module):
    """Pictures to features, without a classifier. `base` is 64 in ResNet-50; tests take less."""

    def __init__(self, stages: tuple[int, ...] = STAGES, base: int = 64):
        super().__init__()
        self.conv1 = nn.Conv2d(3, base, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(base)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = base
        for index, count in enumerate(stages):
            width, blocks = base << index, []
            for block in range(count):
                blocks.append(Bottleneck(channels, width, 2 if block == 0 and index else 1))
                channels = _EXPANSION * width
            setattr(self, f"layer{index + 1}", nn.Sequential(*blocks))
        self.num_stages, self.num_features = len(stages), channels

    def features(self, images: Tensor) -> Tensor:
        """Normalized pictures [B,3,H,W] to features [B,C], the mean over what is left of the picture."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        for index in range(self.num_stages):
            x = getattr(self, f"layer{index + 1}")(x)
        return x.mean((2, 3))


class ImagePrediction(NamedTuple):
    parameters: BodyParameters
    camera: Tensor  # [B, 3] scale and shift (x, y): picture = scale (X + shift), both in half sides


class IterativeHead(nn.Module):
    """Features [B,C] to the parameters of a body with `rotations` rotations and `shapes` shape coefficients."""

    init_pose: Tensor  # [1, 6R]
    init_shape: Tensor  # [1, S]
    init_cam: Tensor  # [1, 3]

    def add_head(self, channels: int, rest6d: Tensor, shapes: int, width: int, dropout: float) -> None:
        """`rest6d` [R,6]: where the iteration starts; the columns of the rotations, one after the other."""
        pose = rest6d.numel()
        self.fc1 = nn.Linear(channels + pose + shapes + 3, width)
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


class Spin(ResNet, IterativeHead):
    """A ResNet that learns with its head."""

    def __init__(
        self,
        rest6d: Tensor,
        shapes: int,
        *,
        stages: tuple[int, ...] = STAGES,
        base: int = 64,
        width: int = 1024,
        dropout: float = 0.5,
    ):
        super().__init__(stages, base)
        self.add_head(self.num_features, rest6d, shapes, width, dropout)

    @staticmethod
    def look(images: Tensor) -> Tensor:
        """Pictures uint8 [B,H,W,3], normalized [B,3,H,W]."""
        pixels = images.permute(0, 3, 1, 2).float()  # channels stay last in memory, which convolutions like
        mean, deviation = (255 * pixels.new_tensor(values)[:, None, None] for values in (PIXEL_MEAN, PIXEL_DEVIATION))
        return pixels.sub_(mean).div_(deviation)


class FrozenSpin(IterativeHead):
    """Two layers and the head behind a network that never changes, such as a detector's."""

    mean: Tensor  # [F] of what it gives
    deviation: Tensor  # [F]

    def __init__(
        self, eyes: Callable[[Tensor], Tensor], seen: int, rest6d: Tensor, shapes: int, *, width: int, dropout: float
    ):
        """`eyes`: pictures uint8 [B,224,224,3] on the CPU to F = `seen` numbers [B,F]."""
        super().__init__()
        self.eyes = eyes
        self.register_buffer("mean", torch.zeros(seen))
        self.register_buffer("deviation", torch.ones(seen))
        self.layers = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(seen, width), nn.GELU(),
            nn.Dropout(dropout), nn.Linear(width, width), nn.GELU(),
        )  # fmt: skip
        self.add_head(width, rest6d, shapes, width, dropout)

    def look(self, images: Tensor) -> Tensor:
        """What the eyes see in pictures uint8 [B,224,224,3], [B,F]."""
        return self.eyes(images.cpu()).to(self.mean.device)

    def standardize(self, seen: Tensor) -> None:
        """Scale by the mean and deviation of samples [N,F]; what hardly varies is not blown up."""
        self.mean.copy_(seen.mean(0))
        self.deviation.copy_(seen.std(0) + _LEAST_DEVIATION * seen.std())

    def features(self, seen: Tensor) -> Tensor:
        """What was seen [B,F] to features [B,C]."""
        return self.layers((seen - self.mean) / self.deviation)


ImageBackbone = Spin | FrozenSpin
