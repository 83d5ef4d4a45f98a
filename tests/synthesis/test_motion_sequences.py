"""Training sequences: what is true of them, checked with the body's own skinning; cuts; seeds."""

import numpy as np
import pytest
import torch
from tiny_pack import write_pack

from pose2mesh.augmentation.sequence_noise import EXACT
from pose2mesh.body_models import load_anny_body
from pose2mesh.body_models.reduced import ReducedBody
from pose2mesh.datasets.motion_pack import MotionClip, MotionPack
from pose2mesh.geometry.rotation import rotmat_to_rotvec
from pose2mesh.synthesis.sequences import (
    MotionVariation,
    SequenceMixture,
    SequenceNoiseShare,
    SyntheticSequences,
    recorded_runs,
)

BODY = load_anny_body()
STILL = MotionVariation(
    mirror=0, swap_halves=0, perturb=0, clavicle_degrees=0, wrist_degrees=0, speed=(1, 1), rates=(30,), moving=0
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return recorded_runs([write_pack(tmp_path_factory.mktemp("pack") / "p.npz", {"01_01": 40, "02_01": 25})])


def sequences(runs, variation=STILL, seed=0) -> SyntheticSequences:
    mixture = SequenceMixture(variation=variation, noise=(SequenceNoiseShare(share=1.0, detector=EXACT),))
    return SyntheticSequences(BODY, runs, mixture, "union48", "body32", np.array([10, 5000]), seed)


def test_runs_end_at_cuts(tmp_path):
    rotvec = np.zeros((9, 19, 3), np.float32)
    clips = [
        MotionClip(rotvec, np.array([0, 4, 8, 12, 40, 44, 48, 60, 64]), "a"),
        MotionClip(rotvec[:4], 4 * np.arange(4), "b"),
    ]
    MotionPack.from_clips(clips, ["1", "2"], ["", ""]).save(tmp_path / "p.npz")
    found = recorded_runs([tmp_path / "p.npz"])
    assert list(zip(found.start.tolist(), found.count.tolist(), found.subjects, strict=True)) == [
        (0, 4, "1"), (4, 3, "1"), (9, 4, "2"),
    ]  # fmt: skip
    assert recorded_runs([tmp_path / "p.npz"], longest=3).count.tolist() == [3, 3, 3]


def test_truth_is_the_skinned_body_and_keypoints_are_its_joints(runs):
    batch = sequences(runs).make(0, 6, 20)
    shape = batch.betas.repeat_interleave(20, 0)
    groups = BODY.expand_groups(batch.rotations.flatten(0, 1))
    reduced = ReducedBody(BODY, np.array([10, 5000]), "body32")
    points = torch.cat([reduced.joints(shape, groups), reduced.skin(shape, groups)], 1)
    pelvis = points[:, 17:18]  # of COCO-19, with which body32 begins
    torch.testing.assert_close(batch.points.flatten(0, 1), points - pelvis, atol=2e-5, rtol=0)
    seen = batch.keypoints[..., 2] > 0
    assert seen[..., :19].all() and not seen[..., 19:].any()  # through COCO-17, pelvis and neck between its joints
    ratio = (batch.keypoints[0, :, :17, :2] - batch.keypoints[0, :, :1, :2]).norm(dim=-1)
    flat = (batch.points[0, :, :17, :2] - batch.points[0, :, :1, :2]).norm(dim=-1)
    assert np.corrcoef(ratio.flatten(), flat.flatten())[0, 1] > 0.98  # a pinhole, metres away


def test_unvaried_motion_is_the_recorded_one(runs):
    """Legs against the root lie on the way from one recorded frame to the next."""
    batch = sequences(runs).make(0, 4, 12)
    legs = [9, 16]
    found = batch.rotations[:, :, :1].transpose(-1, -2) @ batch.rotations[:, :, legs]  # the camera taken out
    for rotations in found:
        longer = []
        for start, count in zip(runs.start.tolist(), runs.count.tolist(), strict=True):
            for first in range(start, start + count - 12):
                one, two = runs.rotations[first : first + 12, legs], runs.rotations[first + 1 : first + 13, legs]
                longer.append((angle(one, rotations) + angle(rotations, two) - angle(one, two)).max().item())
        assert min(longer) < 1e-2 < np.median(longer)


def angle(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return rotmat_to_rotvec(a.transpose(-1, -2) @ b).norm(dim=-1)


def test_a_chunk_is_a_function_of_seed_and_number(runs):
    varied = MotionVariation()
    one, again, other = (sequences(runs, varied, seed).make(3, 4, 12) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one.keypoints, other.keypoints)


def test_what_was_not_recorded_is_absent(runs):
    batch = sequences(runs).make(0, 8, 60)
    assert not batch.present.all() and batch.present[:, 0].all()
    assert all(column.isfinite().all() for column in batch)
