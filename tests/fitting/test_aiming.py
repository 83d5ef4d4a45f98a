"""Cameras aimed at the person: people beside the optical axis come out as those on it."""

import numpy as np
import pytest
import torch

from pose2mesh import Pose2Mesh
from pose2mesh.body_models import load_anny_body
from pose2mesh.fitting.aiming import aimed, middle_of, seen_along, turn_to
from pose2mesh.skeletons import joint_set
from pose2mesh.synthesis.walk import walking
from pose2mesh.types import Camera

FOCAL, SIZE = 600.0, (1920, 1080)
WALK = walking(load_anny_body(), seconds=0.5, fps=10, heading_degrees=30)
ROWS = [WALK.joint_names.index(joint) for joint in joint_set("coco17").joints]


def seen_from(degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints [T, 17, 3] of the walker so far beside the optical axis, and the place [3] m of the pelvis."""
    place = np.array([5 * np.tan(np.radians(degrees)), 0.3, 5.0])
    camera = Camera(FOCAL, (960, 540), place, SIZE)
    points = camera.project(WALK.joints[:, ROWS])
    return np.concatenate([points, np.ones((len(points), 17, 1))], -1), place


def test_turns_are_rotations_that_take_the_axis_to_the_ray():
    rays = torch.tensor([[0.0, 0.0], [0.7, -0.2], [-3.0, 2.0]], dtype=torch.float64)
    turns = turn_to(rays)
    directions = torch.cat([rays, torch.ones(3, 1)], 1)
    expected = directions / directions.norm(dim=1, keepdim=True)
    torch.testing.assert_close(turns[..., 2], expected)
    torch.testing.assert_close(turns @ turns.transpose(1, 2), torch.eye(3, dtype=torch.float64).expand(3, 3, 3))
    torch.testing.assert_close(torch.linalg.det(turns), torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(turns[0], torch.eye(3, dtype=torch.float64))
    angles = torch.arccos((turns.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2)  # the smallest: the ray's own
    torch.testing.assert_close(angles, torch.arccos(expected[:, 2]))


def test_an_aimed_camera_sees_the_same_directions():
    keypoints = torch.tensor([[[900.0, 400.0, 1.0], [1300.0, 900.0, 0.5], [5.0, 7.0, 0.0]]], dtype=torch.float64)
    cameras = torch.tensor([[500.0, 600.0, 400.0]], dtype=torch.float64)
    straight, turn = aimed(keypoints, cameras)
    for joint in range(2):
        before, after = ((k[0, joint, :2] - cameras[0, 1:]) / 500 for k in (keypoints, straight))
        back = turn[0] @ torch.cat([after, torch.ones(1)])
        torch.testing.assert_close(back[:2] / back[2], before)
    torch.testing.assert_close(straight[0, 2], keypoints[0, 2])  # missing: as it was
    torch.testing.assert_close(straight[..., 2], keypoints[..., 2])


def test_nobody_seen_is_nobody_moved():
    rays = torch.zeros(2, 3, 3)
    assert not middle_of(rays).any()
    torch.testing.assert_close(seen_along(rays, turn_to(middle_of(rays))), rays)


@pytest.mark.parametrize("weights", ["anny-body", "anny-key2mesh"])
@pytest.mark.parametrize("fit", [True, False])
def test_people_beside_the_axis_are_as_near_as_on_it(weights, fit):
    """Known camera, exact keypoints: no camera axis that turns with the ray (40 degrees were 90 mm and more)."""
    model, errors = Pose2Mesh.from_pretrained(weights), []
    for degrees in (0, 40):
        keypoints, place = seen_from(degrees)
        people = model.predict(keypoints, "coco17", intrinsics=FOCAL, image_size=SIZE, fit=fit)
        at = [people[0].joint_names.index(joint) for joint in WALK.joint_names]
        apart = [np.linalg.norm(p.joints[at] - true, axis=1) for p, true in zip(people, WALK.joints, strict=True)]
        errors.append(float(np.mean(apart)))
        ahead = [person.camera.translation / person.camera.translation[2] for person in people if person.camera]
        np.testing.assert_allclose(np.mean(ahead, 0), place / place[2], atol=0.03)
    assert errors[0] < 0.04 and errors[1] < errors[0] + 0.012
