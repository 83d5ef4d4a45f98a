"""The controlled gap: each difference is what it says, and nothing else differs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_pack import write_pack

from pose2mesh.augmentation.detector_noise import box_height
from pose2mesh.body_models import load_anny_body
from pose2mesh.errors import InputError
from pose2mesh.geometry.placement import reprojection_errors
from tools.studies.domain_gap import DomainGap, draw_gap, kinds_of_gap

NOTHING = np.zeros(0, int)


@pytest.fixture(scope="module")
def body():
    return load_anny_body()


@pytest.fixture(scope="module")
def gaps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, DomainGap]:
    pack = write_pack(tmp_path_factory.mktemp("gap") / "pack.npz", {"01_01": 60, "02_01": 40})
    return kinds_of_gap(DomainGap(motion=str(pack), people=100))


def test_exact_keypoints_are_projections_of_the_truth(body, gaps):
    part = draw_gap(body, gaps["performers"], "adapt", NOTHING)
    rays, confidence = part.keypoints[..., :2], part.keypoints[..., 2]
    assert reprojection_errors(part.truth.joints[:, :17], rays, confidence).max() < 2e-3
    assert (confidence == 1).all()


def test_parts_share_no_clip_and_repeat(body, gaps):
    adapt, again, test = (draw_gap(body, gaps["all"], part, NOTHING) for part in ("adapt", "adapt", "test"))
    assert torch.equal(adapt.keypoints, again.keypoints)
    assert set(adapt.subjects) == {"01"} and set(test.subjects) == {"02"}
    assert (len(adapt.keypoints), len(test.keypoints)) == (60, 40) and len(adapt.groups.unique()) == 3


def test_the_detector_is_off_by_the_same_vector_every_time(body, gaps):
    exact = draw_gap(body, gaps["performers"], "adapt", NOTHING).keypoints
    pack = gaps["joints"]
    from dataclasses import replace

    biased = draw_gap(body, replace(pack, convention="surface"), "adapt", NOTHING).keypoints
    shift = (biased - exact)[..., :2] / box_height(exact[..., :2])[:, None, None]
    assert shift.std(0).max() < 1e-5 < 0.005 < shift.abs().mean()


def test_bones_move_limbs_and_leave_the_face(body, gaps):
    from dataclasses import replace

    exact = draw_gap(body, gaps["performers"], "adapt", NOTHING).keypoints
    bones = draw_gap(body, replace(gaps["joints"], offset=0.0), "adapt", NOTHING).keypoints
    moved = (bones - exact)[..., :2].norm(dim=-1) / box_height(exact[..., :2])[:, None]
    assert moved[:, :5].max() < 1e-5 and moved[:, [5, 6, 11, 12]].mean() > 0.005
    assert moved.max() < 0.2


def test_missing_limbs(body, gaps):
    part = draw_gap(body, gaps["detector"], "adapt", NOTHING)
    assert 0.05 < (part.keypoints[..., 2] == 0).float().mean() < 0.4


def test_one_clip_is_no_gap(body, tmp_path: Path):
    pack = write_pack(tmp_path / "one.npz", {"01_01": 5})
    with pytest.raises(InputError, match="two clips"):
        draw_gap(body, DomainGap(motion=str(pack)), "test", NOTHING)
