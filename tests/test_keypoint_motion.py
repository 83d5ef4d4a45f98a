"""Keypoint files of many frames as motions: their order, the numbers of their people, their units."""

import json

import numpy as np
import pytest

from pose2mesh.body_models import load_anny_body
from pose2mesh.errors import InputError
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.synthesis.walk import walking

FPS = 15.0
BODY = load_anny_body()
SCENE = [walking(BODY, 2.0, FPS, 90, start=(-1.2, 4.5)), walking(BODY, 2.0, FPS, -90, start=(1.2, 5.2))]


@pytest.fixture(scope="module")
def model():
    return Pose2Mesh.from_pretrained("anny-key2mesh")


def entry(frame, person, **more):
    return {"image_id": f"{frame}.jpg", "keypoints": SCENE[person].keypoints[frame].ravel().tolist(), **more}


def test_keypoint_files_of_several_frames(model, tmp_path):
    np.save(tmp_path / "walk.npy", SCENE[0].keypoints[:5])
    with pytest.raises(InputError):
        list(model.track(tmp_path / "nothing.npy"))
    frames = list(model.track(tmp_path / "walk.npy"))
    assert sum(len(frame.people) for frame in frames) == 5


def test_frames_are_in_the_order_of_their_numbers(model, tmp_path):
    """AlphaPose sorts the names of pictures as text: 0, 1, 10, 11, 2."""
    (tmp_path / "sorted.json").write_text(json.dumps([entry(i, 0) for i in sorted(range(12), key=str)]))
    frames = list(model.track(tmp_path / "sorted.json"))
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.name for frame in frames] == [str(i) for i in range(12)]
    places = np.stack([frame.people[0].camera.translation for frame in frames])
    assert np.abs(np.diff(places, axis=0)).max() < 0.3  # m; somebody who walks does not jump


@pytest.mark.parametrize("where", ["one lacks it", "two alike"])
def test_numbers_that_some_frames_lack_are_not_mixed_with_others(model, tmp_path, where):
    """Frame 5 has the people the other way around, and no usable numbers for them."""
    entries = [entry(i, p, track_id=p + 1) for i in range(10) if i != 5 for p in (0, 1)]
    entries += [entry(5, 1) | ({"track_id": 1} if where == "two alike" else {}), entry(5, 0, track_id=1)]
    (tmp_path / "walk.json").write_text(json.dumps(entries))
    places = {}
    for frame in model.track(tmp_path / "walk.json"):
        for person in frame.people:
            places.setdefault(person.track, []).append(person.keypoints[person.keypoints[:, 2] > 0, 0].mean())
    assert [len(track) for track in places.values()] == [10, 10]
    assert max(np.abs(np.diff(track)).max() for track in places.values()) < 60  # px


def test_fractions_in_a_keypoint_file_are_scaled_by_the_told_size(tmp_path, model):
    rows = SCENE[0].keypoints[:10]
    np.save(tmp_path / "pixels.npy", rows[:, None])
    np.save(tmp_path / "fractions.npy", (rows / [640, 480, 1])[:, None])
    pixels, fractions = (model.motion(tmp_path / f"{n}.npy", image_size=(640, 480)) for n in ("pixels", "fractions"))
    np.testing.assert_allclose(fractions.keypoints, pixels.keypoints, atol=1e-2)
    with pytest.raises(InputError, match="--image-size"):
        model.motion(tmp_path / "fractions.npy")
