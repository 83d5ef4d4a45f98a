"""Framings: what photos cut off, for figures of any joint set, upright or lying, and what detectors say of the rest."""

import numpy as np
import pytest
import torch

from pose2mesh.augmentation.figures import figure
from pose2mesh.augmentation.framing import Framing, crop_to_frame, report_outside
from pose2mesh.augmentation.poses import world_rotmats
from pose2mesh.body_models import load_anny_body
from pose2mesh.errors import InputError
from pose2mesh.skeletons import joint_set

COUNT = 400
SHARES = ("full", "shins_up", "knees_up", "waist_up", "head_and_shoulders")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def only(framing: str, **settings) -> Framing:
    return Framing(
        **{name: float(name == framing) for name in SHARES}, **{"side": 0.0, "field": (9.0, 9.0), **settings}
    )


def standing(name: str, count: int = COUNT) -> torch.Tensor:
    """A person who stands 4 m before a camera, in focal lengths, [count, J, 2]."""
    body = load_anny_body()
    pose = body.expand_pose(world_rotmats(figure("stand")[None]))
    joints = body.joint_regressor(name) @ body(torch.zeros(1, body.num_shape), pose).vertices[0].numpy()
    return torch.as_tensor(joints[:, :2] * (1.0, -1.0) / 4.0).float().expand(count, -1, 2)


def share_inside(inside: torch.Tensor, joints: tuple[str, ...]) -> dict[str, float]:
    """Mean over both sides and all samples."""
    parts = {joint.split("_")[-1] for joint in joints}
    return {
        part: float(inside[:, [i for i, j in enumerate(joints) if j.split("_")[-1] == part]].float().mean())
        for part in parts
    }


@pytest.mark.parametrize("name", ["coco17", "halpe26", "smpl24", "human36m17"])
def test_frames_end_where_they_say(name: str) -> None:
    points, joints = standing(name), joint_set(name).joints
    expected = {  # joints that are always inside, and never
        "full": ("shoulder hip knee ankle", ""),
        "shins_up": ("shoulder hip knee", "ankle"),
        "knees_up": ("shoulder hip", "ankle"),
        "waist_up": ("shoulder", "knee ankle"),
        "head_and_shoulders": ("shoulder", "hip knee ankle"),
    }
    for framing, (always, never) in expected.items():
        inside = share_inside(crop_to_frame(points, joints, only(framing), seeded()), joints)
        assert all(inside[part] == 1 for part in always.split()), framing
        assert all(inside[part] < 0.02 for part in never.split()), framing


def test_lying_people_are_cut_across_the_body() -> None:
    """The same figure turned by a quarter: the same joints are inside, whichever way the head points."""
    joints, points = joint_set("coco17").joints, standing("coco17")
    upright = crop_to_frame(points, joints, Framing(side=0, field=(9, 9)), seeded())
    for quarter in ([[0.0, 1], [-1, 0]], [[0.0, -1], [1, 0]], [[-1.0, 0], [0, -1]]):
        turned = crop_to_frame(points @ torch.tensor(quarter).T, joints, Framing(side=0, field=(9, 9)), seeded())
        assert torch.equal(upright, turned)


def test_one_side_is_cut() -> None:
    joints, points = joint_set("coco17").joints, standing("coco17")
    inside = crop_to_frame(points, joints, only("full", side=1.0), seeded())
    x = points[0, :, 0]
    for row in inside:  # what is outside lies to one side of all that is inside
        if not row.all():
            assert x[~row].min() >= x[row].max() or x[~row].max() <= x[row].min()
    left, right = ((~inside[:, joints.index(f"{side}_wrist")]).float().mean() for side in ("left", "right"))
    assert 0.2 < left < 0.8 and abs(left - right) < 0.15


def test_seated_people_keep_their_hips_down_to_the_knees() -> None:
    """Seen from the front, the knees of a seated person are as high as the hips."""
    joints = joint_set("coco17").joints
    points = standing("coco17").clone()
    for side in ("left", "right"):
        hip, knee, ankle = (joints.index(f"{side}_{j}") for j in ("hip", "knee", "ankle"))
        points[:, ankle] += points[:, hip] - points[:, knee]
        points[:, knee] = points[:, hip]
    inside = share_inside(crop_to_frame(points, joints, only("knees_up"), seeded()), joints)
    assert inside["hip"] == 1 and inside["knee"] == 1


def test_what_the_lens_does_not_see_is_outside() -> None:
    joints = joint_set("coco17").joints
    inside = crop_to_frame(standing("coco17") * 4, joints, only("full", field=(0.5, 0.5)), seeded())
    expected = (standing("coco17") * 4).abs().amax(-1) < 0.5
    assert torch.equal(inside, expected)


def test_four_joints_are_always_left() -> None:
    joints = joint_set("coco17").joints
    points = torch.randn(300, 17, 2, generator=seeded(1)) * 5 + 20  # far aside
    assert (crop_to_frame(points, joints, Framing(), seeded()).sum(1) == 4).all()


def test_detectors_leave_out_or_guess() -> None:
    points, joints = standing("coco17"), joint_set("coco17").joints
    detections = torch.cat([points, torch.full((COUNT, 17, 1), 0.9)], -1)
    detections[:, 3] = 0.0  # absent for another reason
    recipe = only("waist_up", guess=0.5, guess_error=0.2, guess_confidence=(0.05, 0.3))
    inside = crop_to_frame(points, joints, recipe, seeded())
    out = report_outside(detections, inside, recipe, seeded(1))
    assert torch.equal(out[inside], detections[inside]) and (out[:, 3] == 0).all()
    ankles = out[:, [15, 16]]
    guessed = ankles[..., 2] > 0
    assert torch.equal(guessed[:, 0], guessed[:, 1]) and 0.4 < guessed.float().mean() < 0.6
    assert (ankles[~guessed] == 0).all()
    confidence = ankles[guessed][:, 2]
    assert 0.05 <= confidence.min() < 0.07 and 0.28 < confidence.max() <= 0.3
    y = torch.where(inside & (detections[..., 2] > 0), points[..., 1], torch.nan).numpy()
    height = np.nanmax(y, 1) - np.nanmin(y, 1)
    error = (ankles[..., :2] - points[:, [15, 16]]).numpy() / height[:, None, None]
    assert error[guessed.numpy()].std() == pytest.approx(0.2, rel=0.1)


def test_same_seed_same_frames() -> None:
    points, joints = standing("halpe26"), joint_set("halpe26").joints
    first, again, other = (crop_to_frame(points, joints, Framing(), seeded(s)) for s in (2, 2, 3))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_a_recipe_of_nothing_is_an_error() -> None:
    with pytest.raises(InputError, match="all shares are zero"):
        only("none")
