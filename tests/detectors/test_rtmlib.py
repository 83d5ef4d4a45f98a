"""What becomes of rtmlib's whole bodies; its weights cannot be had offline, so a network stands in for them."""

import sys
from types import ModuleType

import numpy as np
import pytest

from pose2mesh.detectors import get_detector
from pose2mesh.detectors.conversion import in_joint_set
from pose2mesh.errors import MissingFileError
from pose2mesh.skeletons import joint_set


def _install(monkeypatch, network):
    module = ModuleType("rtmlib")
    module.Wholebody = network
    monkeypatch.setitem(sys.modules, "rtmlib", module)


def test_feet_and_knuckles_are_used(monkeypatch):
    """COCO-WholeBody: 17 of the body, 6 of the feet, 68 of the face, 21 of each hand; point i lies at (i, 2i)."""
    points = np.stack([np.arange(133), 2 * np.arange(133)], -1)[None].repeat(2, 0)
    scores = np.full((2, 133), 0.9)
    scores[0, 20], scores[1] = 0.2, 0.1  # a toe that is not seen; somebody who is nobody

    class Network:
        def __init__(self, **options):
            assert options["backend"] == "onnxruntime"

        def __call__(self, image):
            assert image[0, 0].tolist() == [3, 2, 1]  # BGR
            return points, scores

    _install(monkeypatch, Network)
    image = np.empty((8, 9, 3), np.uint8)
    image[:] = (1, 2, 3)
    found = get_detector("rtmlib").detect(image)
    assert len(found) == 1 and found.image_size == (9, 8)
    names = joint_set(found.joint_set).joints
    by_name = dict(zip(names, found.points[0, :, 0].astype(int).tolist(), strict=True))
    expected = {"nose": 0, "right_ankle": 16, "left_big_toe": 17, "right_heel": 22}
    expected |= {"left_hand_wrist": 91, "left_hand_index1": 96, "right_hand_wrist": 112, "right_hand_pinky4": 132}
    assert {name: by_name[name] for name in expected} == expected
    assert found.confidence[0, names.index("right_big_toe")] == 0 < found.confidence[0, names.index("left_heel")]
    body = in_joint_set(found, "mediapipe33")
    assert body.points[0, joint_set("mediapipe33").index("left_index"), 0] == 96


def test_weights_that_cannot_be_had_are_one_clear_line(monkeypatch):
    def offline(**options):
        raise OSError("no route to host")

    _install(monkeypatch, offline)
    with pytest.raises(MissingFileError, match="--detector blazepose"):
        get_detector("rtmlib")
