"""The protocol of everyday poses: exact truth, its groups, seeds of its own."""

from dataclasses import replace

import pytest
import torch

from pose2mesh.augmentation.cameras import project
from pose2mesh.body_models import load_anny_body
from pose2mesh.metrics import knee_flexion
from pose2mesh.skeletons import joint_set
from pose2mesh.synthesis.mocap import ProtocolBatch
from pose2mesh.synthesis.upright import GROUPS, UprightProtocol

TENSORS = ("clean", "noisy", "joints", "vertices", "distance")
NAMES = joint_set("coco19").joints


def everything(protocol: UprightProtocol, size: int = 16) -> ProtocolBatch:
    batches = list(protocol.batches(size))
    columns = {name: torch.cat([getattr(batch, name) for batch in batches]) for name in TENSORS}
    return ProtocolBatch(**columns, groups=[group for batch in batches for group in batch.groups])


@pytest.fixture(scope="module")
def batch() -> ProtocolBatch:
    return everything(UprightProtocol(load_anny_body(), samples=3))


def test_every_group_has_its_samples(batch: ProtocolBatch) -> None:
    names = [name for name, *_ in GROUPS]
    assert batch.groups == names * 3
    assert batch.vertices.shape == (3 * len(names), 13718, 3) and batch.joints.shape == (3 * len(names), 19, 3)


def test_clean_input_is_the_projection_of_the_truth(batch: ProtocolBatch) -> None:
    """Up to where the pelvis is in the picture, which the batch need not tell: it is found from two equations."""
    for i, group in enumerate(batch.groups):
        seen = batch.clean[i, :, 2] > 0
        assert seen.all() or "cut" in group
        depth = (batch.joints[i, :17, 2] + batch.distance[i]).clamp(min=0.2)
        place = batch.clean[i, :, :2] * depth[:, None] - batch.joints[i, :17, :2]  # [17, 2]: the same for all joints
        place = place[seen]
        torch.testing.assert_close(place, place[:1].expand_as(place), atol=1e-4, rtol=0)
        expected = project(batch.joints[i : i + 1, :17], torch.cat([place[0], batch.distance[i, None]])[None])[0]
        torch.testing.assert_close(batch.clean[i, seen, :2], expected[seen], atol=1e-4, rtol=0)


def test_cut_figures_lack_joints_and_noisy_ones_guess(batch: ProtocolBatch) -> None:
    cut = torch.tensor(["cut" in group for group in batch.groups])
    absent = (batch.clean[..., 2] == 0).sum(1)
    assert (absent[cut] > 0).float().mean() > 0.7 and (absent[~cut] == 0).all()
    confidence = batch.noisy[..., 2]
    assert ((confidence > 0) & (confidence < 0.31))[~cut].sum() == 0  # the detector's own errors start at 0.5


def test_truth_stands_and_sits(batch: ProtocolBatch) -> None:
    flexion = knee_flexion(batch.joints, NAMES)
    for name, low, high in (("standing", 0, 12), ("standing, cut", 0, 12), ("cross_legged", 90, 150)):
        chosen = torch.tensor([group == name for group in batch.groups])
        assert low <= flexion[chosen].median() <= high, name


def test_samples_are_functions_of_seed_and_number() -> None:
    protocol = UprightProtocol(load_anny_body(), samples=1)
    first, again, other = everything(protocol), everything(protocol, 5), everything(replace(protocol, seed=1))
    some = everything(replace(protocol, limit=4))
    for name in TENSORS:
        torch.testing.assert_close(getattr(first, name), getattr(again, name), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(getattr(first, name)[:4], getattr(some, name), atol=1e-5, rtol=1e-5)
        assert not torch.allclose(getattr(first, name), getattr(other, name))
