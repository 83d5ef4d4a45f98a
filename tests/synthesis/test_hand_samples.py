"""Hand samples: a function of (seed, step, stream), consistent in themselves; the protocol holds its gestures back."""

import pytest
import torch

from pose2mesh.augmentation.cameras import CameraRange
from pose2mesh.augmentation.detector_noise import CLEAN
from pose2mesh.augmentation.hand_gestures import TEST_FAMILIES, TRAINING_FAMILIES, gesture_pool
from pose2mesh.body_models import load_body_model
from pose2mesh.errors import InputError
from pose2mesh.synthesis.hands import HandProtocol, SyntheticHands, hand_shapes
from pose2mesh.synthesis.mixture import CameraShare, Mixture, NoiseShare

HAND = load_body_model("anny-hand")
POOL = gesture_pool(TRAINING_FAMILIES)
IDS = torch.arange(0, 1670, 10).numpy()
CLEAN_MIXTURE = Mixture(
    noise=(NoiseShare(share=1.0, detector=CLEAN),),
    cameras=(CameraShare(share=1.0, range=CameraRange(distance=(0.5, 0.5))),),
)


def samples(mixture: Mixture = CLEAN_MIXTURE, **changes) -> SyntheticHands:
    return SyntheticHands(HAND, POOL, mixture, **{"vertex_ids": IDS, "batch_size": 22, **changes})


def test_batch_is_a_function_of_seed_step_and_stream() -> None:
    batch = samples(seed=1, stream=2)[5]
    assert all(torch.equal(a, b) for a, b in zip(batch, samples(seed=1, stream=2)[5], strict=True))
    for other in (samples(seed=2, stream=2)[5], samples(seed=1, stream=3)[5], samples(seed=1, stream=2)[6]):
        assert not torch.equal(batch.keypoints, other.keypoints)


def test_shapes_and_frame() -> None:
    batch = samples()[0]
    assert batch.keypoints.shape == (22, 21, 3) and batch.vertices.shape == (22, len(IDS), 3)
    assert batch.joints[:, 0].abs().max() < 1e-6  # the wrist
    length = (batch.joints[:, 9]).norm(dim=-1)
    assert length.min() > 0.04 and length.max() < 0.13  # wrist to middle knuckle, children to tall adults


def test_keypoints_are_the_projected_joints() -> None:
    batch = samples()[3]
    in_camera = batch.joints - batch.joints.mean(1, keepdim=True) + torch.tensor([0.0, 0.0, 0.5])
    assert torch.allclose(batch.keypoints[..., :2], in_camera[..., :2] / in_camera[..., 2:], atol=1e-6)


def test_samples_are_right_hands() -> None:
    """Mirroring would make the rotation from the rest hand to the sample improper: compare with the body itself."""
    batch = samples()[1]
    output = HAND(batch.betas, HAND.expand_pose(batch.rotations))
    wrist = (torch.as_tensor(HAND.joint_regressor("hand21"), dtype=torch.float32) @ output.vertices)[:, :1]
    assert torch.allclose(batch.vertices, (output.vertices - wrist)[:, IDS], atol=1e-5)
    assert torch.allclose(torch.linalg.det(batch.rotations), torch.ones(22, 21), atol=1e-4)


def test_views_cover_the_sphere() -> None:
    """The back of the hand is seen as often as the palm, fingers point everywhere."""
    batch = samples(batch_size=2000)[0]
    pointing = torch.nn.functional.normalize(batch.joints[:, 9], dim=-1)
    assert pointing.mean(0).norm() < 0.1
    assert torch.allclose(pointing.T @ pointing / 2000, torch.eye(3) / 3, atol=0.05)


def test_training_and_test_shapes_are_different_people() -> None:
    train, test = hand_shapes(HAND, (18.0, 75.0), 1), hand_shapes(HAND, (18.0, 75.0), 0)
    assert torch.cdist(train[:500], test).min() > 0
    with pytest.raises(InputError, match="ages"):
        hand_shapes(HAND, (80.0, 90.0), 0)


def test_protocol_samples_do_not_depend_on_batches() -> None:
    protocol = HandProtocol(HAND, limit=5)
    whole = next(protocol.batches(5))
    parts = list(protocol.batches(2))
    for field in ("clean", "noisy", "joints", "vertices"):
        assert torch.allclose(torch.cat([getattr(p, field) for p in parts]), getattr(whole, field), atol=1e-6)
    assert [group for part in parts for group in part.groups] == whole.groups


def test_protocol_goes_through_all_gestures_first() -> None:
    protocol = HandProtocol(HAND, variants=2, limit=45)
    groups = [group for batch in protocol.batches(16) for group in batch.groups]
    assert len(groups) == 45 and set(groups) == set(TEST_FAMILIES)


def test_protocol_noise_hides_joints_and_clean_is_exact() -> None:
    batch = next(HandProtocol(HAND, limit=40).batches(40))
    assert (batch.clean[..., 2] == 1).all()
    hidden = (batch.noisy[..., 2] == 0).float().mean()
    assert 0.04 < hidden < 0.2
    visible = batch.noisy[..., 2] > 0
    assert (batch.noisy - batch.clean)[..., :2][visible].abs().max() > 0
