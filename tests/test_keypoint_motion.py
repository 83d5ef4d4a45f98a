"""Keypoint files of many frames as motions: their order, the numbers of their people, their units."""

import json

import numpy as np
import pytest

from pose2mesh.body_models import load_anny_body
from pose2mesh.cli.main import main
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


def test_numbers_of_people_that_no_array_holds_are_none(model, tmp_path):
    (tmp_path / "far.json").write_text(json.dumps([entry(i, 0, idx=10**30) for i in range(5)]))
    assert model.motion(tmp_path / "far.json").tracks == (1,)


@pytest.mark.parametrize(
    ("frames", "numbers"),
    [
        (range(10, 22), range(10, 22)),  # nobody before
        ((3, 9), (3, 9)),
        (range(0, 30, 2), range(15)),  # every second frame was taken
        ((0, 2, 4, 5, 10), (0, 2, 4, 5, 10)),
    ],
)
def test_frames_keep_the_numbers_of_their_names(model, tmp_path, frames, numbers):
    (tmp_path / "found.json").write_text(json.dumps([entry(i, 0) for i in frames]))
    found = list(model.track(tmp_path / "found.json", fps=FPS))
    assert [frame.index for frame in found] == list(numbers)
    np.testing.assert_allclose([frame.time for frame in found], np.array(numbers) / FPS)


@pytest.mark.parametrize("shown", [range(10, 22), range(0, 30, 2), (3, 23)])
def test_frames_without_anybody_count(model, tmp_path, shown):
    """COCO's list of images tells them."""
    images = [{"id": 7 + i, "file_name": f"shot_{i:04d}.jpg", "width": 640, "height": 480} for i in range(30)]
    people = [{**entry(i, 0), "image_id": 7 + i, "id": i, "category_id": 1} for i in shown]
    (tmp_path / "all.json").write_text(json.dumps({"images": images, "annotations": people, "categories": []}))
    found = list(model.track(tmp_path / "all.json", fps=FPS))
    assert [frame.index for frame in found] == list(range(30))
    assert [frame.index for frame in found if frame.people] == list(shown)
    (tmp_path / "all.json").write_text(json.dumps({"images": images, "annotations": [], "categories": []}))
    assert [frame.index for frame in model.track(tmp_path / "all.json")] == list(range(30))


def test_a_folder_of_keypoint_files_is_a_motion(model, tmp_path):
    """OpenPose writes one for each frame."""
    for i, row in enumerate(SCENE[0].keypoints[:12]):
        person = {"pose_keypoints_2d": row.ravel().tolist()}
        name = f"walk_{i:012d}_keypoints.json"
        (tmp_path / name).write_text(json.dumps({"people": [person] if i != 5 else []}))
    motion = model.motion(tmp_path, joint_set="coco17", fps=FPS)
    assert motion.frame.tolist() == [i for i in range(12) if i != 5] and motion.fps == FPS
    assert model.motion(tmp_path, joint_set="coco17", fps=10).save(tmp_path / "whole.bvh").is_file()
    np.testing.assert_allclose(motion.time, motion.frame / FPS)


def test_the_command_makes_a_motion_of_keypoints_where_one_asks(tmp_path, capsys):
    np.save(tmp_path / "walk.npy", SCENE[0].keypoints[:12, None])
    command = ["predict", f"{tmp_path}/walk.npy", "--weights", "anny-key2mesh", "-o", f"{tmp_path}/out"]
    assert main([*command, "--track", "--fps", "15", "--save", "npz,bvh,mp4"]) == 0
    written = sorted(path.name for path in (tmp_path / "out" / "walk").iterdir())
    assert written == ["animation_1.bvh", "motion.npz", "overlay.mp4"]
    motion = np.load(tmp_path / "out" / "walk" / "motion.npz")
    assert motion["fps"] == FPS and motion["time"][-1] == pytest.approx(11 / FPS)
    assert main([*command, "--save", "npz"]) == 0  # pictures, one by one
    assert len(list((tmp_path / "out").glob("walk_*.npz"))) == 12
    capsys.readouterr()
    assert main([*command, "--fps", "15"]) == 2
    assert "--track and --fps are of bodies" in capsys.readouterr().err


def test_rates_that_are_none(model, tmp_path):
    np.save(tmp_path / "walk.npy", SCENE[0].keypoints[:5, None])
    for wrong in (0, -1, "fast", float("nan"), True):
        with pytest.raises(InputError, match=r"fps is .*it must be frames a second"):
            model.motion(tmp_path / "walk.npy", fps=wrong)


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


def test_a_motions_file_is_that_motion_again(model, tmp_path):
    path = SCENE[0].save(tmp_path / "motion.npz")
    found = model.motion(path)
    assert found.tracks == SCENE[0].tracks and found.fps == FPS
    np.testing.assert_array_equal(found.frame, SCENE[0].frame)
    np.testing.assert_allclose(found.time, SCENE[0].time, atol=1e-9)
    assert found.camera.focal == SCENE[0].camera.focal
