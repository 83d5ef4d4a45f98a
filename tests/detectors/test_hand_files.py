"""Hands in keypoint files: alone, in whole bodies and in OpenPose's files, each back to known numbers."""

import json

import numpy as np
import pytest

from pose2mesh.detectors.readers import read_keypoints, to_keypoints
from pose2mesh.errors import FormatError, InputError
from pose2mesh.skeletons import convert, hand_of_body


def whole_body(count: int, people: int = 1) -> np.ndarray:
    """Joints [P, count, 3] whose x is their own index, all seen."""
    values = np.ones((people, count, 3))
    values[..., 0] = np.arange(count)
    values[..., 1] = 10
    return values


def openpose(tmp_path, **parts):
    person = {"pose_keypoints_2d": whole_body(25).ravel().tolist(), **parts}
    path = tmp_path / "walk_000_keypoints.json"
    path.write_text(json.dumps({"version": 1.3, "people": [person]}))
    return path


def hand(start: int) -> list[float]:
    return (whole_body(21)[0] + [start, 0, 0]).ravel().tolist()


@pytest.mark.parametrize(("count", "left", "right"), [(133, 91, 112), (136, 94, 115)])
def test_hands_of_whole_bodies_and_their_sides(tmp_path, count, left, right):
    values = whole_body(count, people=2)
    values[1, right : right + 21, 2] = 0  # the second person's right hand is missing
    np.save(tmp_path / "all.npy", values)
    (frame,) = read_keypoints(tmp_path / "all.npy", "hand21")
    assert frame.keypoints.handedness == ("left", "right", "left")
    assert frame.keypoints.points[:, 0, 0].tolist() == [left, right, left]
    (frame,) = read_keypoints(tmp_path / "all.npy")
    assert frame.keypoints.handedness is None


@pytest.mark.parametrize(("count", "left"), [(133, 91), (136, 94)])
def test_bodies_with_hands_keep_body_and_hands(tmp_path, count, left):
    np.save(tmp_path / "all.npy", whole_body(count))
    (frame,) = read_keypoints(tmp_path / "all.npy", "body_hands59")
    assert frame.keypoints.points[0, :, 0].tolist() == [*range(17), *range(left, left + 42)]


@pytest.mark.parametrize("count", [17, 25])
def test_bodies_alone_have_unseen_hands(tmp_path, count):
    """In an array as in its file."""
    for columns in (2, 3):
        values = whole_body(count, people=2)[..., :columns]
        np.save(tmp_path / "all.npy", values)
        of_file = read_keypoints(tmp_path / "all.npy", "body_hands59")[0].keypoints
        found = to_keypoints(values, "keypoints", "body_hands59")
        np.testing.assert_array_equal(found.points, of_file.points)
        np.testing.assert_array_equal(found.confidence, of_file.confidence)
        assert found.joint_set == "body_hands59" and not found.confidence[:, 17:].any() and found.confidence.any()


def test_openpose_hands_alone_and_with_their_body(tmp_path):
    path = openpose(tmp_path, hand_left_keypoints_2d=[], hand_right_keypoints_2d=hand(100))
    (frame,) = read_keypoints(path, "hand21")
    assert (frame.name, frame.keypoints.handedness) == ("walk_000", ("right",))
    np.testing.assert_array_equal(frame.keypoints.points[0, :, 0], np.arange(100, 121))
    (frame,) = read_keypoints(path, "body_hands59")
    points, confidence = frame.keypoints.points, frame.keypoints.confidence
    assert points[0, 10, 0] == 4  # the right wrist of BODY_25
    right, seen = convert(points, confidence, "body_hands59", hand_of_body("right"))
    np.testing.assert_array_equal(right[0, :, 0], np.arange(100, 121))
    assert seen.all() and not convert(points, confidence, "body_hands59", hand_of_body("left"))[1].any()


@pytest.mark.parametrize("absent", [{}, {"hand_left_keypoints_2d": None}, {"hand_left_keypoints_2d": []}])
def test_hands_that_a_file_leaves_out_are_not_seen(tmp_path, absent):
    assert len(read_keypoints(openpose(tmp_path, **absent), "hand21")[0].keypoints) == 0
    path = openpose(tmp_path, hand_right_keypoints_2d=hand(100), **absent)
    (frame,) = read_keypoints(path, "hand21")
    assert frame.keypoints.handedness == ("right",)
    assert frame.keypoints.points[0, :, 0].tolist() == list(range(100, 121))
    (whole,) = read_keypoints(path)
    assert whole.keypoints.joint_set == "openpose67"
    assert whole.keypoints.confidence[0].tolist() == [1] * 25 + [0] * 21 + [1] * 21


def test_sides_beside_the_keypoints_of_an_npz(tmp_path):
    np.savez(tmp_path / "a.npz", keypoints=np.ones((2, 21, 3)), handedness=np.array(["right", "left"]))
    (frame,) = read_keypoints(tmp_path / "a.npz")
    assert frame.keypoints.handedness == ("right", "left")
    for sides, message in ((["right"], "1 entries for 2 hands"), (["right", "up"], "'up' is neither")):
        np.savez(tmp_path / "b.npz", keypoints=np.ones((2, 21, 3)), handedness=np.array(sides))
        with pytest.raises(FormatError, match=message):
            read_keypoints(tmp_path / "b.npz")


@pytest.mark.parametrize(
    ("count", "message"), [(20, "20 joints, but"), (22, "22 joints"), (42, "two hands in one array")]
)
def test_other_numbers_of_joints(tmp_path, count, message):
    np.save(tmp_path / "a.npy", np.ones((count, 3)))
    with pytest.raises(InputError, match=message):
        read_keypoints(tmp_path / "a.npy", "hand21")


@pytest.mark.parametrize(
    "told",
    [
        {"handedness": [[{"categoryName": "Right", "score": 0.9}], [{"categoryName": "Left", "score": 0.8}]]},
        {"handednesses": [[{"category_name": "Right"}], [{"display_name": "Left"}]]},
        {"handedness": [{"categoryName": "Right"}, {"categoryName": "Left"}]},
        {"handedness": ["Right", "Left"]},
        {"handedness": [{"classification": [{"label": "Right"}]}, {"classification": [{"label": "Left"}]}]},
    ],
)
def test_mediapipe_tells_the_sides_of_its_hands(tmp_path, told):
    landmarks = [[{"x": (hand + i) / 50, "y": 0.5} for i in range(21)] for hand in (0, 20)]
    path = tmp_path / "hands.json"
    path.write_text(json.dumps({"handLandmarks": landmarks, **told}))
    (frame,) = read_keypoints(path, image_size=(500, 500))
    assert frame.keypoints.handedness == ("right", "left")
    path.write_text(json.dumps({"handLandmarks": landmarks, "handedness": told[next(iter(told))][:1]}))
    with pytest.raises(FormatError, match="handedness has 1 entries for 2 hands"):
        read_keypoints(path, image_size=(500, 500))


@pytest.mark.parametrize("told", [3, [[{"score": 1}]] * 2, [[], []], ["one", "two"], [], {"label": None}])
def test_other_words_tell_no_side(tmp_path, told):
    landmarks = [[{"x": (hand + i) / 50, "y": 0.5} for i in range(21)] for hand in (0, 20)]
    path = tmp_path / "hands.json"
    path.write_text(json.dumps({"handLandmarks": landmarks, "handedness": told}))
    assert read_keypoints(path, image_size=(500, 500))[0].keypoints.handedness is None
    path.write_text(json.dumps({"handLandmarks": [], "handedness": told}))  # nobody
    assert len(read_keypoints(path, image_size=(500, 500))[0].keypoints) == 0
