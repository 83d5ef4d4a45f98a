"""Numbers of people that keypoint files bring, from the file to the people of a motion."""

import json

import numpy as np
import pytest

from pose2mesh.detectors.readers import read_keypoints
from pose2mesh.pipeline import Pose2Mesh


def entries(key: str, numbers: list[list[int]]) -> list[dict]:
    rng = np.random.default_rng(0)
    people = rng.uniform([50, 50, 0.6], [300, 400, 1], (9, 17, 3))
    return [
        {"image_id": f"{frame:03d}.jpg", "category_id": 1, "keypoints": people[i].ravel().tolist(), "score": 1, key: n}
        for frame, row in enumerate(numbers)
        for i, n in enumerate(row)
    ]


@pytest.mark.parametrize("key", ["track_id", "idx"])
def test_numbers_of_files_are_kept(key, tmp_path, monkeypatch):
    monkeypatch.delattr("pose2mesh.pipeline.get_detector")  # keypoint files need none, nor onnxruntime
    (tmp_path / "k.json").write_text(json.dumps(entries(key, [[7, 3], [3, 7], [3]])))
    assert [frame.keypoints.tracks for frame in read_keypoints(tmp_path / "k.json")] == [(7, 3), (3, 7), (3,)]
    frames = list(Pose2Mesh.from_pretrained("anny-key2mesh").track(tmp_path / "k.json"))
    assert [[person.track for person in frame.people] for frame in frames] == [[7, 3], [3, 7], [3]]


@pytest.mark.parametrize(
    ("names", "places"),
    [
        (["7.jpg", "8.jpg", "10.jpg", "31.jpg"], [7, 8, 10, 31]),
        (["shot_0010.png", "shot_0020.png", "shot_0050.png"], [10, 20, 50]),  # too few to tell a step
        ([f"shot_{10 * i:04d}.png" for i in range(1, 11)], [*range(1, 11)]),  # every tenth frame
        (["b_2.jpg", "b_1.jpg"], [1, 2]),
        (["a_1.jpg", "b_4.jpg"], [0, 1]),
        (["left.jpg", "right.jpg"], [0, 1]),
        (["9" * 5000, "99"], [0, 1]),
    ],
)
def test_frames_that_show_nobody_are_left_out_of_files_but_not_of_time(names, places, tmp_path):
    listed = entries("idx", [[7]] * len(names))
    for entry, name in zip(listed, names, strict=True):
        entry["image_id"] = name
    (tmp_path / "k.json").write_text(json.dumps(listed))
    frames = list(Pose2Mesh.from_pretrained("anny-key2mesh").track(tmp_path / "k.json"))
    assert [frame.index for frame in frames] == places
    assert [frame.time for frame in frames] == pytest.approx([place / 30 for place in places])


def test_numbers_that_tell_nothing_are_left(tmp_path):
    (tmp_path / "k.json").write_text(json.dumps(entries("track_id", [[7, 7], [-1, 2]])))
    assert [frame.keypoints.tracks for frame in read_keypoints(tmp_path / "k.json")] == [None, None]
