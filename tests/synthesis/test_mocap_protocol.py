"""The mocap protocol: the same numbers for everybody, and people that training has not seen."""

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from tiny_pack import write_pack

from pose2mesh import paths
from pose2mesh.body_models import load_anny_body
from pose2mesh.datasets.motion import load_motion
from pose2mesh.errors import InputError
from pose2mesh.synthesis.bodies import shape_table, shapes_of_ages, training_shapes
from pose2mesh.synthesis.mocap import MocapProtocol, ProtocolBatch

TENSORS = ("clean", "noisy", "joints", "vertices", "distance")
TO_SMPL = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # of Anny's axes


@pytest.fixture(scope="module")
def protocol(tmp_path_factory: pytest.TempPathFactory) -> MocapProtocol:
    return MocapProtocol(load_anny_body(), write_pack(tmp_path_factory.mktemp("pack") / "pack.npz"))


@functools.cache  # a pass takes some seconds
def everything(protocol: MocapProtocol, size: int) -> ProtocolBatch:
    """All batches joined."""
    batches = list(protocol.batches(size))
    subjects = [subject for batch in batches for subject in batch.groups]
    columns = {name: torch.cat([getattr(batch, name) for batch in batches]) for name in TENSORS}
    return ProtocolBatch(**columns, groups=subjects)


def test_every_third_frame_with_its_subject(protocol: MocapProtocol) -> None:
    batch = everything(protocol, 64)
    assert batch.groups == ["01", "01", "01", "02"]  # frames 0, 3, 6 of seven and 9 of the next five
    assert batch.vertices.shape == (4, 13718, 3) and batch.joints.shape == (4, 19, 3)
    assert batch.clean.shape == batch.noisy.shape == (4, 17, 3)
    assert len(everything(replace(protocol, every=1), 64).groups) == 12
    assert everything(replace(protocol, limit=2), 64).groups == ["01", "01"]


def test_same_seed_same_samples(protocol: MocapProtocol) -> None:
    first, other = (everything(replace(protocol, seed=s), 64) for s in (0, 1))
    again = everything(replace(protocol, body=load_anny_body()), 64)
    for name in TENSORS:
        assert torch.equal(getattr(first, name), getattr(again, name)), name
        assert not torch.allclose(getattr(first, name), getattr(other, name)), name


@pytest.mark.parametrize("size", [1, 3])
def test_batch_size_does_not_matter(protocol: MocapProtocol, size: int) -> None:
    whole, parts = everything(protocol, 64), everything(protocol, size)
    assert whole.groups == parts.groups
    for name in TENSORS:
        torch.testing.assert_close(getattr(whole, name), getattr(parts, name), rtol=0, atol=1e-6, msg=name)


def test_limit_takes_the_first_samples(protocol: MocapProtocol) -> None:
    some, whole = everything(replace(protocol, limit=2), 64), everything(protocol, 64)
    torch.testing.assert_close(some.noisy, whole.noisy[:2], rtol=0, atol=1e-6)


def test_ground_truth_is_consistent(protocol: MocapProtocol) -> None:
    batch = everything(protocol, 64)
    regressor = torch.as_tensor(protocol.body.joint_regressor("coco19"))
    # double, for some processors sum 13,718 float32 terms 1e-5 off
    assert (regressor.double() @ batch.vertices.double() - batch.joints).abs().max() < 1e-5
    hips = (batch.joints[:, 11] + batch.joints[:, 12]) / 2
    assert hips.abs().max() < 1e-6  # the pelvis is mid hips and the origin
    shifted = batch.joints[:, :17].double() + torch.stack([torch.zeros(4), torch.zeros(4), batch.distance], -1)[:, None]
    expected = shifted[..., :2] / shifted[..., 2:]
    torch.testing.assert_close(batch.clean[..., :2].double(), expected, rtol=0, atol=1e-6)
    assert (batch.clean[..., 2] == 1).all()
    assert batch.distance.min() >= 2.5 and batch.distance.max() <= 8


def test_poses_are_those_of_the_pack(protocol: MocapProtocol) -> None:
    """A straight bone is a rotated rest bone: thigh directions in the body's own frame come from the recording."""
    batch, pack = everything(protocol, 64), load_motion(protocol.motion)
    world = Rotation.from_rotvec(pack.rotvec[::3].reshape(-1, 3)).as_matrix().reshape(-1, 19, 3, 3)
    world = TO_SMPL @ world @ TO_SMPL.T
    # the angle between two bones does not depend on the view: left thigh (9) against right upper arm (13)
    relative = np.swapaxes(world[:, 9], 1, 2) @ world[:, 13]
    body = protocol.body
    heads = dict(zip(body.bone_names, body.rest(torch.zeros(1, 16)).joints[0].numpy(), strict=True))
    thigh = heads["lowerleg01.L"] - heads["upperleg01.L"]
    arm = heads["lowerarm01.R"] - heads["upperarm01.R"]
    expected = np.einsum("i,bij,j->b", thigh, relative, arm) / np.linalg.norm(thigh) / np.linalg.norm(arm)
    joints = torch.as_tensor(body.joint_regressor("smpl24")) @ batch.vertices
    bones = joints[:, [4, 19]] - joints[:, [1, 17]]  # left knee - hip, right elbow - shoulder
    bones = torch.nn.functional.normalize(bones, dim=-1)
    found = (bones[:, 0] * bones[:, 1]).sum(-1).numpy()
    np.testing.assert_allclose(np.arccos(found), np.arccos(expected), atol=0.12)  # other shapes, soft skin


def test_people_are_new(protocol: MocapProtocol) -> None:
    adults, children = training_shapes()
    known = {row.numpy().tobytes() for row in torch.cat([adults, children])}
    for ages in ((18.0, 75.0), (4.0, 17.0)):
        shapes = shapes_of_ages(ages, 0)
        assert len(shapes) > 500
        assert not known & {row.numpy().tobytes() for row in shapes}


def test_ages_are_respected() -> None:
    age, betas = shape_table()
    assert len(shapes_of_ages((4.0, 75.0), 0)) == (len(age) + 1) // 2
    by_shape = {row.numpy().tobytes(): a for a, row in zip(age.tolist(), betas, strict=True)}
    ages = [by_shape[row.numpy().tobytes()] for row in shapes_of_ages((4.0, 17.0), 0)]
    assert min(ages) >= 4 and max(ages) <= 17
    with pytest.raises(InputError, match="4 to 75"):
        shapes_of_ages((90.0, 99.0), 0)


def test_noisy_detections_follow_the_protocol(tmp_path: Path) -> None:
    """Shares over 900 samples: 15% absent, the rest displaced."""
    pack = write_pack(tmp_path / "long.npz", {"01_01": 900})
    batch = everything(MocapProtocol(load_anny_body(), pack, every=1, limit=300), 300)
    seen = batch.noisy[..., 2] > 0
    assert seen.float().mean().item() == pytest.approx(0.85, abs=0.02)
    height = batch.clean[..., 1].amax(1) - batch.clean[..., 1].amin(1)
    shift = (batch.noisy - batch.clean)[..., :2] / height[:, None, None]
    assert shift[seen].abs().median().item() == pytest.approx(0.6745 * 0.015, rel=0.15)


@pytest.mark.data
@pytest.mark.parametrize(("pack", "frames"), [("mocap_val", 3632), ("mocap_test_public", 8253)])
def test_recorded_packs_give_a_third_of_their_frames(pack: str, frames: int) -> None:
    motion = load_motion(paths.data_dir() / f"{pack}.npz")
    protocol = MocapProtocol(load_anny_body(), paths.data_dir() / f"{pack}.npz", limit=4)
    assert sum(len(batch.groups) for batch in protocol.batches(4)) == 4
    indices = range(0, len(motion), protocol.every)
    assert len(motion) == frames and len(indices) == -(-frames // 3)
