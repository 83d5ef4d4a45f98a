"""Keypoints of the second look: what a detector missed stands where the motion has it, the rest stays."""

import numpy as np
import torch

from pose2mesh.augmentation.cameras import project
from pose2mesh.body_models import load_anny_body
from pose2mesh.body_models.reduced import ReducedBody
from pose2mesh.fitting.second_look import CONFIDENCE, second_look
from pose2mesh.skeletons import joint_set
from pose2mesh.synthesis.detections import conversion
from pose2mesh.synthesis.walk import walking

BODY = load_anny_body()
WALK = walking(BODY, 3.0)
TIMES = torch.from_numpy(WALK.time)[None]
SETS = "union48", "body32"
ANKLE = joint_set("union48").index("left_ankle")


def joints() -> torch.Tensor:
    """The walker's true joints [T,32,3] m from the pelvis."""
    reduced = ReducedBody(BODY, np.arange(1), "body32")
    groups = BODY.expand_groups(torch.from_numpy(WALK.rotations).float())
    found = reduced.joints(torch.from_numpy(WALK.betas).float(), groups)
    return found - found[:, joint_set("body32").index("pelvis"), None]


def shown(joint_set_name: str = "coco17") -> torch.Tensor:
    """What a detector of a set sees of it, in focal lengths [1,T,48,3]."""
    points = project(joints(), torch.from_numpy(WALK.translation).float())  # [T, 32, 2]
    whole = torch.cat([points, torch.full_like(points[..., :1], 0.8)], -1)
    return conversion(joint_set_name, "union48")(conversion("body32", joint_set_name)(whole))[None]


def look(keypoints: torch.Tensor) -> torch.Tensor:
    rays = conversion(*SETS)(keypoints[0])[None]
    return second_look(keypoints, rays, TIMES, joints()[None], SETS)


def test_keypoints_of_the_motion_stay_and_what_a_detector_does_not_know_stays_absent():
    keypoints = shown()
    torch.testing.assert_close(look(keypoints), keypoints, atol=5e-3, rtol=0)  # necks are middles of shoulders


def test_gaps_and_strays_are_shown_where_the_motion_has_them():
    true = shown()
    keypoints = true.clone()
    keypoints[0, 20:40, ANKLE] = 0
    keypoints[0, 50:55, ANKLE, 0] += 0.1  # half a metre at 5 m
    again = look(keypoints)
    changed = torch.zeros(true.shape[1], dtype=torch.bool)
    changed[20:40] = changed[50:55] = True
    apart = (again - true)[0, :, ANKLE, :2].norm(dim=-1)
    assert apart[changed].max() < 2e-3 and apart[~changed].max() < 1e-3
    np.testing.assert_allclose(again[0, changed, ANKLE, 2], CONFIDENCE, atol=0.01)
    others = torch.arange(48) != ANKLE
    torch.testing.assert_close(again[:, :, others], true[:, :, others], atol=0.03, rtol=0)


def test_what_nobody_sees_for_a_second_is_not_told_and_nobody_stays_nobody():
    keypoints = shown()
    keypoints[0, 20:, ANKLE] = 0
    keypoints[0, 70] = 0
    again = look(keypoints)[0]
    seen = again[:, ANKLE, 2] > 0
    assert seen[: 20 + 29].all() and not seen[20 + 31 :].any()
    assert not again[70].any()
