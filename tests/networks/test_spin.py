"""The image backbone: published names and sizes, ResNet-50's arithmetic, order of the pose numbers, its camera."""

import pytest
import torch

from pose2mesh.geometry.weak_perspective import FOCAL, SIDE, camera_translation, project_to_crop, scale_penalty
from pose2mesh.networks.spin import Bottleneck, ResNet, Spin

IDENTITY = torch.tensor([[1.0, 0, 0, 0, 1, 0]])


@pytest.fixture(scope="module")
def small() -> Spin:
    torch.manual_seed(0)
    return Spin(IDENTITY.repeat(24, 1), 10, stages=(1, 1), base=8, width=32).eval()


def test_resnet_50_has_the_known_number_of_weights():
    """25,557,032 of the classifier, less its 2048 x 1000 + 1000."""
    network = ResNet()
    assert sum(p.numel() for p in network.parameters()) == 25_557_032 - 2_049_000
    assert len(network.state_dict()) == 318
    assert network.num_features == 2048


def test_the_published_layout_of_the_head():
    """Names and sizes of SPIN's checkpoint: 24 rotations, 10 shapes, 3 numbers of the camera."""
    state = Spin(IDENTITY.repeat(24, 1), 10, stages=(1,), base=8).state_dict()
    head = {name: tuple(value.shape) for name, value in state.items() if not name.startswith(("conv", "bn", "layer"))}
    features = 32
    assert head == {
        "fc1.weight": (1024, features + 157), "fc1.bias": (1024,),
        "fc2.weight": (1024, 1024), "fc2.bias": (1024,),
        "decpose.weight": (144, 1024), "decpose.bias": (144,),
        "decshape.weight": (10, 1024), "decshape.bias": (10,),
        "deccam.weight": (3, 1024), "deccam.bias": (3,),
        "init_pose": (1, 144), "init_shape": (1, 10), "init_cam": (1, 3),
    }  # fmt: skip


def test_a_bottleneck_is_three_convolutions_and_a_skip():
    torch.manual_seed(0)
    block = Bottleneck(8, 4, 2).eval()
    x = torch.randn(2, 8, 6, 6)
    conv = torch.nn.functional.conv2d
    y = torch.relu(block.bn1(conv(x, block.conv1.weight)))
    y = torch.relu(block.bn2(conv(y, block.conv2.weight, stride=2, padding=1)))
    skip = block.downsample[1](conv(x, block.downsample[0].weight, stride=2))
    torch.testing.assert_close(block(x), torch.relu(block.bn3(conv(y, block.conv3.weight)) + skip))


def test_an_untrained_head_without_corrections_gives_the_start(small):
    """With zero corrections the pose numbers are those of the start, whose rotations are the identity."""
    features = torch.zeros(2, small.num_features)
    fresh = Spin(IDENTITY.repeat(24, 1), 10, stages=(1, 1), base=8, width=32).eval()
    for layer in (fresh.decpose, fresh.decshape, fresh.deccam):
        torch.nn.init.zeros_(layer.weight)
    found = fresh.estimate(features)
    torch.testing.assert_close(found.parameters.rotations, torch.eye(3).expand(2, 24, 3, 3))
    assert torch.equal(found.parameters.betas, torch.zeros(2, 10))


def test_pose_numbers_are_read_row_by_row(small):
    """Joint 3 with rows (0, -1), (1, 0), (0, 0): a quarter turn about z."""
    network = Spin(IDENTITY.repeat(24, 1), 10, stages=(1, 1), base=8, width=32).eval()
    for layer in (network.decpose, network.decshape, network.deccam):
        torch.nn.init.zeros_(layer.weight)
    network.init_pose[0, 18:24] = torch.tensor([0.0, -1, 1, 0, 0, 0])
    turned = network.estimate(torch.zeros(1, network.num_features)).parameters.rotations[0, 3]
    torch.testing.assert_close(turned, torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]))


def test_the_pinhole_agrees_with_the_weak_perspective_camera():
    camera = torch.tensor([[0.8, 0.1, -0.2]])
    points = torch.randn(1, 7, 3, generator=torch.Generator().manual_seed(0)) * 0.5
    weak = 0.8 * (points[..., :2] + torch.tensor([0.1, -0.2]))
    assert (project_to_crop(points, camera) - weak).abs().max() < 0.03  # 5 000 px: rays are nearly parallel
    flat = points * torch.tensor([1.0, 1, 0])
    torch.testing.assert_close(project_to_crop(flat, camera), 0.8 * (flat[..., :2] + torch.tensor([0.1, -0.2])))
    assert camera_translation(camera)[0, 2] == pytest.approx(2 * FOCAL / (SIDE * 0.8))


def test_the_penalty_is_one_at_scale_zero_and_gone_at_one():
    assert scale_penalty(torch.zeros(1, 3)) == 1
    assert scale_penalty(torch.ones(1, 3)) < 1e-8


def test_pictures_are_normalized_as_imagenet_is():
    images = torch.full((1, 2, 2, 3), 255, dtype=torch.uint8)
    expected = torch.tensor([(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225])
    torch.testing.assert_close(Spin.look(images)[0, :, 0, 0], expected)
