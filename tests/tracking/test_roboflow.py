"""Trackers of another package behind our protocol."""

import numpy as np
import pytest

from pose2mesh.body_models import load_anny_body
from pose2mesh.errors import InputError
from pose2mesh.synthesis.walk import walking
from pose2mesh.tracking.roboflow import RoboflowTracker
from pose2mesh.types import Keypoints2D

pytest.importorskip("trackers", reason="trackers is not installed; pip install 'pose2mesh[trackers]'")

PLACES = ((90, (-1.5, 4.5)), (90, (0.5, 5.0)))
WALKS = [walking(load_anny_body(), 1.0, 30.0, heading, start=start).keypoints for heading, start in PLACES]


@pytest.mark.parametrize("name", ["bytetrack", "ocsort", "sort"])
def test_people_keep_their_numbers_in_any_order(name):
    tracker, rng, seen = RoboflowTracker(name, frame_rate=30.0), np.random.default_rng(0), []
    for frame in range(30):
        order = rng.permutation(3)
        rows = np.stack([WALKS[0][frame], WALKS[1][frame], np.zeros((17, 3), np.float32)])[order]  # the third is nobody
        numbers = tracker.update(Keypoints2D(rows[..., :2], rows[..., 2], "coco17", (640, 480)), frame / 30)
        assert len(set(numbers)) == 3
        seen.append(np.array(numbers)[np.argsort(order)])
    assert len({tuple(numbers[:2]) for numbers in seen[5:]}) == 1 and max(seen[-1][:2]) < 1000 < seen[-1][2]


def test_nobody_and_unknown_names():
    empty = Keypoints2D(np.zeros((0, 17, 2), np.float32), np.zeros((0, 17), np.float32), "coco17", (640, 480))
    assert RoboflowTracker().update(empty, 0.0) == ()
    with pytest.raises(InputError, match="bytetrack"):
        RoboflowTracker("nothing")
