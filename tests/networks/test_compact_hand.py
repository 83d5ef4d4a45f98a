"""The hand network: turns with the picture, takes missing joints, is no symmetric body."""

import numpy as np
import pytest
import torch

from pose2mesh.checkpoints import build_network
from pose2mesh.errors import InputError
from pose2mesh.networks.compact_hand import CompactHand, turned, upright_turn
from pose2mesh.training.config import NetworkConfig

SETTINGS = {
    "joint_set": "hand21",
    "body": "anny-hand",
    "lifter": {"width": 32, "blocks": 1},
    "mesh": {"hierarchy": "anny_hand", "channels": [8, 8], "blocks": [1, 1], "latent": 8},
}


def build(**changes) -> CompactHand:
    torch.manual_seed(0)
    return build_network(NetworkConfig.model_validate({**SETTINGS, **changes}).model_dump(mode="json")).eval()


@pytest.fixture(scope="module")
def keypoints() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(6, 21, 2, generator=generator)
    return torch.cat([points, 0.5 + torch.rand(6, 21, 1, generator=generator)], -1)


def picture_turn(degrees: float) -> torch.Tensor:
    angle = np.deg2rad(degrees)
    return torch.tensor([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], dtype=torch.float32)


@pytest.mark.parametrize("degrees", [17.0, 90.0, 180.0, -133.0])
def test_output_turns_with_the_picture(keypoints: torch.Tensor, degrees: float) -> None:
    network, turn = build(), picture_turn(degrees)
    with torch.inference_mode():
        still, moved = network(keypoints), network(turned(keypoints, turn))
    assert still.vertices.shape == (6, 1670, 3) and still.joints.shape == (6, 21, 3)
    assert torch.allclose(moved.vertices, turned(still.vertices, turn), atol=1e-4)
    assert torch.allclose(moved.joints, turned(still.joints, turn), atol=1e-4)


def test_position_and_size_in_the_picture_do_not_matter(keypoints: torch.Tensor) -> None:
    network = build()
    elsewhere = torch.cat([300 * keypoints[..., :2] + 1000, keypoints[..., 2:]], -1)
    with torch.inference_mode():
        assert torch.allclose(network(elsewhere).vertices, network(keypoints).vertices, atol=1e-3)


def test_missing_joints_have_no_coordinates(keypoints: torch.Tensor) -> None:
    network, hidden, other = build(), keypoints.clone(), keypoints.clone()
    hidden[:, [4, 8, 0]] = 0
    other[:, [4, 8, 0]] = torch.tensor([777.0, -55.0, 0.0])
    with torch.inference_mode():
        assert torch.equal(network(hidden).vertices, network(other).vertices)


def test_nothing_visible_is_finite() -> None:
    with torch.inference_mode():
        assert torch.isfinite(build()(torch.zeros(2, 21, 3)).vertices).all()


def test_upright_is_upright() -> None:
    """Fingers that point left, point up afterwards; the turn is a rotation."""
    hand = torch.zeros(1, 21, 3)
    hand[..., 2] = 1
    hand[0, :, 0] = -torch.tensor([0.0, 1, 2, 3, 4, *[4.0, 5, 6, 7] * 4])
    hand[0, 5:, 1] = torch.repeat_interleave(torch.tensor([-1.0, 0, 1, 2]), 4) - 0.5
    hand[0, 1:5, 1] = -1.0
    turn = upright_turn(hand)
    palm = turned(hand, turn)[0, 9] - turned(hand, turn)[0, 0]
    assert palm[1] < -3.5 and abs(palm[0]) < 1.5
    assert torch.allclose(torch.linalg.det(turn), torch.ones(1), atol=1e-6)


def test_the_direct_network(keypoints: torch.Tensor) -> None:
    mesh = {"kind": "direct", "hierarchy": "anny_hand", "channels": [8], "blocks": [1], "latent": 8}
    with torch.inference_mode():
        vertices = build(mesh=mesh)(keypoints).vertices
    assert vertices.shape == (6, 1670, 3) and torch.isfinite(vertices).all()


def test_body_and_joint_set_belong_together() -> None:
    with pytest.raises(InputError, match="coco17"):
        build(joint_set="coco17")
    with pytest.raises(InputError, match="hand21"):
        build(body="anny-body", mesh={"hierarchy": "anny_body_qem"})
