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
def test_numbers_of_files_are_kept(key, tmp_path):
    (tmp_path / "k.json").write_text(json.dumps(entries(key, [[7, 3], [3, 7], [3]])))
    assert [frame.keypoints.tracks for frame in read_keypoints(tmp_path / "k.json")] == [(7, 3), (3, 7), (3,)]
    frames = list(Pose2Mesh.from_pretrained("anny-key2mesh").track(tmp_path / "k.json"))
    assert [[person.track for person in frame.people] for frame in frames] == [[7, 3], [3, 7], [3]]


def test_numbers_that_tell_nothing_are_left(tmp_path):
    (tmp_path / "k.json").write_text(json.dumps(entries("track_id", [[7, 7], [-1, 2]])))
    assert [frame.keypoints.tracks for frame in read_keypoints(tmp_path / "k.json")] == [None, None]
