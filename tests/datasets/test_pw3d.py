"""3DPW, from the release's JSON and from the sequence files as published."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from annotation_pw3d import CENTER, FOCAL, sequence, write_pw3d, write_sequence
from malicious_pickles import refused, runnable

from pose2mesh.datasets.annotated import read_samples
from pose2mesh.datasets.annotated.pw3d import read_sequence
from pose2mesh.errors import FormatError, MissingFileError


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_pw3d(tmp_path_factory.mktemp("PW3D"))


def test_fields_of_a_sample(folder: Path) -> None:
    samples = list(read_samples("pw3d", folder, "test"))
    data = json.loads((folder / "data" / "3DPW_latest_test.json").read_text())
    found = json.loads((folder / "data" / "darkpose_3dpw_testset_output.json").read_text())
    assert len(samples) == 6
    sample, annotation = samples[3], data["annotations"][3]
    assert (sample.annotation_id, sample.image_id, sample.person_id, sample.frame) == (3, 1, 1, 1)
    assert sample.image == "downtown_walking_00/image_00001.jpg" and sample.group == "downtown_walking_00"
    assert sample.image_size == (1080, 1920)
    assert [s.body.model for s in samples[:2]] == ["smpl-female", "smpl-male"]
    np.testing.assert_allclose(sample.body.translation, annotation["smpl_param"]["trans"], atol=1e-6)
    # parameters and joints are in camera axes already: the extrinsics of the file must not act again
    np.testing.assert_array_equal(sample.camera.rotation, np.eye(3))
    np.testing.assert_array_equal(sample.camera.translation, np.zeros(3))
    np.testing.assert_allclose([sample.camera.focal, sample.camera.center], [FOCAL, CENTER], rtol=1e-6)
    assert sample.joints.joint_set == "smpl24"
    np.testing.assert_allclose(sample.joints.points, annotation["joint_cam"], atol=1e-6)
    assert sample.detections.joint_set == "coco17"
    np.testing.assert_allclose(sample.detections.points, found[3]["keypoints"], rtol=1e-6)
    assert sample.labels.joint_set == "openpose18"
    np.testing.assert_allclose(sample.labels.points, annotation["openpose_result"], rtol=1e-6)


def test_detections_are_published_for_testing_only(folder: Path) -> None:
    assert all(s.detections is None for s in read_samples("pw3d", folder, "train"))
    assert all(s.detections is not None for s in read_samples("pw3d", folder, "validation"))


def test_a_missing_detection_is_named(tmp_path: Path) -> None:
    path = write_pw3d(tmp_path) / "data" / "darkpose_3dpw_testset_output.json"
    found = json.loads(path.read_text())
    path.write_text(json.dumps([item for item in found if item["annotation_id"] != 4]))
    with pytest.raises(FormatError, match=r"darkpose_3dpw_testset_output.json: no detection with annotation_id 4; get"):
        list(read_samples("pw3d", tmp_path, "test"))
    path.unlink()
    with pytest.raises(MissingFileError, match=r"darkpose_3dpw_testset_output.json not found; get the parsed 3DPW"):
        list(read_samples("pw3d", tmp_path, "test"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["images"][1].pop("cam_param"), r"images\[1\] lacks 'cam_param'"),
        (lambda c: c["annotations"][2]["smpl_param"].update(gender="x"), r"'gender' = 'x', expected male, female"),
        (lambda c: c["images"].pop(0), r"annotations\[0\] names image_id 0, which 'images' does not have"),
        (lambda c: c["annotations"][1].pop("openpose_result"), r"annotations\[1\] lacks 'openpose_result'"),
    ],
)
def test_another_version_of_the_file_is_refused(tmp_path: Path, change, message: str) -> None:
    path = write_pw3d(tmp_path, ("train",)) / "data" / "3DPW_latest_train.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(FormatError, match=message):
        list(read_samples("pw3d", tmp_path, "train"))


def test_sequence_files_are_read_where_there_is_no_json(tmp_path: Path) -> None:
    entries = sequence()
    write_sequence(tmp_path, entries)
    samples = list(read_samples("pw3d", tmp_path, "test"))
    assert [(s.frame, s.person_id) for s in samples] == [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1)]  # 1 in 1: no camera
    sample = samples[-1]
    assert sample.body.model == "smpl-male" and sample.group == "downtown_arguing_00"
    assert sample.image == "downtown_arguing_00/image_00002.jpg" and sample.image_size == (1080, 1920)
    np.testing.assert_allclose(sample.body.rotvec.ravel(), entries["poses"][1][2], rtol=1e-6)
    np.testing.assert_allclose(sample.body.betas, entries["betas"][1][:10], rtol=1e-6)  # of 300
    np.testing.assert_allclose(sample.body.translation, entries["trans"][1][2], rtol=1e-6)
    world = entries["jointPositions"][1][2].reshape(24, 3)
    in_camera = np.stack([world[:, 0], 0.5 - world[:, 2], 4 + world[:, 1]], 1)  # it looks along the world's y
    np.testing.assert_allclose(sample.joints.points, in_camera, atol=1e-5)
    np.testing.assert_allclose(sample.labels.points, entries["poses2d"][1][2].T, rtol=1e-6)
    np.testing.assert_allclose(sample.camera.to_camera(world), in_camera, atol=1e-5)


def test_people_outside_the_picture_are_left_out(tmp_path: Path) -> None:
    entries = sequence()
    entries["jointPositions"][0][:, 0::3] += 50.0  # metres to the right
    samples = read_sequence(write_sequence(tmp_path, entries))
    assert {s.person_id for s in samples} == {1}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("cam_poses", np.zeros((3, 3, 4)), r"'cam_poses' is \(3, 3, 4\), expected \(3, 4, 4\)"),
        ("poses", [np.zeros((3, 72)), np.zeros((2, 72))], r"'poses' is \(2, 72\), expected \(3, 72\)"),
        ("trans", [np.zeros((3, 3))], "'trans' has 1 people, 'betas' 2"),
        ("genders", ["f", "x"], "'genders' are not m and f"),
        ("betas", [np.zeros(4), np.zeros(10)], "'betas' has fewer than 10 numbers"),
        ("trans", [np.full((3, 3), np.nan)] * 2, r"'trans' is not a readable array \(it holds numbers that are not"),
        ("poses2d", None, "'poses2d' is not a readable array"),
        ("betas", [np.zeros(10)] * 65, r"'betas' is not a readable array \(its list is longer"),
    ],
)
def test_faults_of_a_sequence_file(tmp_path: Path, name: str, value, message: str) -> None:
    path = write_sequence(tmp_path, {**sequence(), name: value})
    with pytest.raises(FormatError, match=message) as caught:
        list(read_sequence(path))
    assert str(path) in str(caught.value) and "get the parsed 3DPW" in str(caught.value)


def test_truncated_and_incomplete_sequence_files(tmp_path: Path) -> None:
    path = write_sequence(tmp_path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(FormatError, match=r"is damaged or no sequence file \(.*\); get the parsed 3DPW"):
        list(read_sequence(path))
    entries = sequence()
    del entries["cam_intrinsics"]
    with pytest.raises(FormatError, match="lacks cam_intrinsics, so it is not the sequence file asked for"):
        list(read_sequence(write_sequence(tmp_path, entries)))


def test_nothing_in_a_sequence_file_runs(tmp_path: Path) -> None:
    canary, path = tmp_path / "canary", tmp_path / "evil.pkl"
    evil = {**runnable(str(canary)), **refused(str(canary))}
    for name, content in evil.items():
        path.write_bytes(content)
        with pytest.raises(FormatError):
            list(read_sequence(path))
        assert not canary.exists(), name


def test_objects_that_are_not_read_do_not_hinder(tmp_path: Path) -> None:
    """A scalar of NumPy's beside the entries is let in as an inert object; a nested list is no array."""
    path = write_sequence(tmp_path, {**sequence(), "version": np.float64(1.5)})
    assert len(list(read_sequence(path))) == 5
    path = write_sequence(tmp_path, {**sequence(), "trans": [[np.zeros(3)], np.zeros((3, 3))]})
    with pytest.raises(FormatError, match="'trans' is not a readable array"):
        list(read_sequence(path))
    path = write_sequence(tmp_path, {**sequence(), "trans": np.float64(1.5)})
    with pytest.raises(FormatError, match="'trans' is not a readable array"):
        list(read_sequence(path))


def test_a_list_that_names_a_large_array_many_times_is_refused(tmp_path: Path) -> None:
    """A file of 64 MB must not ask for 40 GB."""
    path = tmp_path / "large.pkl"
    large = np.zeros(2**23)
    path.write_bytes(pickle.dumps({**sequence(), "poses": [large] * 64}, 4))
    with pytest.raises(FormatError, match="its list is longer than in any sequence"):
        list(read_sequence(path))


def test_a_list_of_lists_does_not_grow(tmp_path: Path) -> None:
    """Fifty lists, each naming the one before twice, would be 2^50 items to a reader that goes down into them."""
    nested = [0.0]
    for _ in range(50):
        nested = [nested, nested]
    path = tmp_path / "nested.pkl"
    path.write_bytes(pickle.dumps({**sequence(), "trans": nested}, 2))
    with pytest.raises(FormatError, match="'trans' is not a readable array"):
        list(read_sequence(path))
