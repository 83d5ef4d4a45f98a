"""Legs that the picture does not show: known as unseen, less sure, drawn faded."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pose2mesh import Pose2Mesh
from pose2mesh.augmentation.figures import figure
from pose2mesh.augmentation.poses import world_rotmats
from pose2mesh.body_models import load_anny_body
from pose2mesh.body_models.reduced import ReducedBody
from pose2mesh.rendering import render_overlay, render_views
from pose2mesh.rendering.scene import vertex_opacity

SIZE = (400, 600)  # pixels
LEGS = tuple(f"{side}_{joint}" for side in ("left", "right") for joint in ("knee", "ankle"))


@pytest.fixture(scope="module")
def people():
    """Somebody who stands, seen whole and without the legs."""
    body = load_anny_body()
    turned = torch.diag(torch.tensor([1.0, -1.0, -1.0])) @ world_rotmats(figure("stand")[None])
    joints = ReducedBody(body, np.arange(1), "coco17").joints(torch.zeros(1, 16), body.expand_groups(turned))[0]
    placed = joints.numpy() + np.array([0, 0, 4.0])
    whole = np.column_stack([700 * placed[:, :2] / placed[:, 2:] + [200, 300], np.ones(17)]).astype(np.float32)
    cut = whole.copy()
    cut[13:, 2] = 0  # knees and ankles
    model = Pose2Mesh.from_pretrained("anny-body")
    return [model.predict(points, "coco17", image_size=SIZE)[0] for points in (whole, cut)]


def test_unseen_legs_are_known_and_less_sure(people):
    whole, cut = people
    rows = [whole.joint_names.index(name) for name in LEGS]
    assert whole.seen[rows].all() and not cut.seen[rows].any()
    assert (cut.uncertainty[rows] > 1.5 * whole.uncertainty[rows]).all()
    for name in ("nose", "left_wrist", "right_shoulder"):
        row = whole.joint_names.index(name)
        assert cut.seen[row] and cut.uncertainty[row] < min(cut.uncertainty[rows])


def test_unseen_legs_are_drawn_faded(people):
    whole, cut = people
    assert vertex_opacity(whole) is None
    opacity = vertex_opacity(cut)
    for name, expected in (("left_ankle", 0.35), ("right_knee", 0.35), ("nose", 1.0), ("left_wrist", 1.0)):
        near = np.linalg.norm(cut.vertices - cut.joints[cut.joint_names.index(name)], axis=1).argmin()
        assert opacity[near] == pytest.approx(expected, abs=0.05)
    gray = np.full((*SIZE[::-1], 3), 128, np.uint8)
    drawn = render_overlay(gray, [cut], "solid").astype(int)
    sure = render_overlay(gray, [people[0]], "solid").astype(int)
    knee, chest = (cut.camera.project(cut.joints[cut.joint_names.index(name)]) for name in ("left_knee", "neck"))
    change = {}
    for name, (x, y) in (("knee", knee), ("chest", chest)):
        window = np.s_[int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4]
        change[name] = [np.abs(picture[window] - 128).mean() for picture in (drawn, sure)]
    assert change["knee"][0] < 0.7 * change["knee"][1]
    assert change["chest"][0] > 0.8 * change["chest"][1]


def test_unseen_legs_are_faded_from_the_side_too(people):
    whole, cut = people
    cut = replace(whole, seen=cut.seen)  # one mesh, so that the pictures differ by what was seen alone
    sure, faded = (render_views(person, (90.0,), (200, 400)).astype(int) for person in (whole, cut))
    paler = np.abs(sure - sure[0, 0]).sum(-1) - np.abs(faded - sure[0, 0]).sum(-1)  # [H, W] nearer to the background
    body = np.flatnonzero((sure != sure[0, 0]).any(-1).any(1))  # rows
    top, bottom = body[0], body[-1]
    head, shank = (
        paler[int(top + (bottom - top) * a) : int(top + (bottom - top) * b)] for a, b in ((0, 0.15), (0.75, 0.9))
    )
    assert np.abs(head).max() <= 6 and shank.max() > 60
