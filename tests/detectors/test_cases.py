"""Files that once came out wrong without a word, where the folder of them lies beside the checkout."""

from pathlib import Path

import numpy as np
import pytest

from pose2mesh.detectors.readers import read_keypoints
from pose2mesh.detectors.sources import array_to_keypoints
from pose2mesh.errors import InputError
from pose2mesh.skeletons import convert

CASES = Path(__file__).parents[2] / "../shared/cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="no ../shared/cases")


def read(name: str, joint_set: str | None = None, size: tuple[int, int] | None = None):
    (frame,) = read_keypoints(CASES / name, joint_set, size)
    return frame.keypoints


def test_zeroed_joints_with_scores():
    right = read("F1_yolo_zero/right.npy")
    for found in (read("F1_yolo_zero/yolo.npy"), array_to_keypoints(np.load(CASES / "F1_yolo_zero/yolo.npy"), None)):
        np.testing.assert_array_equal(found.points, right.points)
        np.testing.assert_array_equal(found.confidence, right.confidence)
    for name in ("mmpose_noscores.json", "yolo_results.json"):
        found = read(f"F1_yolo_zero/{name}")
        np.testing.assert_allclose(found.points, right.points, atol=1e-3)
        np.testing.assert_array_equal(found.confidence, right.confidence)


@pytest.mark.parametrize("name", ["scale3", "scale4"])
def test_fractions(name):
    found, pixels = read(f"F2_normalised/{name}.json", None, (1280, 720)), read("F2_normalised/pixels.json")
    np.testing.assert_allclose(found.points, pixels.points, atol=1e-3)
    with pytest.raises(InputError, match="give --image-size WxH"):
        read(f"F2_normalised/{name}.json")


def test_depth():
    with pytest.raises(InputError, match="joints in 3D"):
        read("F3_3d_as_2d/mmpose3d.json")


def test_names():
    """The same person as in the pixels of F2, by names in another order."""
    pixels = read("F2_normalised/pixels.json")
    points, _ = convert(pixels.points, pixels.confidence, "openpose18", "coco17")
    np.testing.assert_allclose(read("F4_names_ignored/own_order.json").points, points, atol=1e-3)


@pytest.mark.parametrize("name", ["null", "nokey", "empty"])
def test_absent_hands(name):
    assert read(f"F8_null_hand/{name}.json", "hand21").handedness == ("left",)
    with_hands = read(f"F8_null_hand/{name}.json", "body_hands59")
    assert with_hands.confidence[0, 17:].tolist() == [1] * 21 + [0] * 21
