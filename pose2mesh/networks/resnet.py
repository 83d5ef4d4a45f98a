"""ResNet-50 (He et al. 2016), stride in the 3x3 convolution, with the layer names that published weights use."""

from torch import Tensor, nn

STAGES = (3, 4, 6, 3)  # blocks of each
_EXPANSION = 4


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
