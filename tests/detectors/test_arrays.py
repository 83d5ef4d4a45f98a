"""Arrays in memory and on disk, and what an NPZ file tells beside its keypoints, however it was stored."""

import io
from pathlib import Path

import numpy as np
import pytest

from pose2mesh.detectors.readers import read_keypoints
from pose2mesh.detectors.sources import array_to_keypoints, rate_of
from pose2mesh.errors import FormatError, InputError
from pose2mesh.skeletons import joint_set
from pose2mesh.types import Intrinsics

NAMES = joint_set("coco17").joints
POINTS = np.random.default_rng(0).uniform(10, 400, (2, 17, 2))


def read(tmp_path, keypoints=POINTS, **arrays):
    np.savez(tmp_path / "a.npz", keypoints=keypoints, **arrays)
    return read_keypoints(tmp_path / "a.npz")[0].keypoints


def test_names_and_sides_as_bytes_are_text(tmp_path):
    found = read(tmp_path, POINTS[:, ::-1], keypoint_names=np.array(NAMES[::-1]).astype("S"))
    np.testing.assert_allclose(found.points, POINTS, atol=1e-4)
    assert read(tmp_path, np.ones((1, 21, 3)), handedness=np.array([b"left"])).handedness == ("left",)


@pytest.mark.parametrize("name", ["keypoint_names", "handedness", "camera_focal"])
def test_objects_are_refused_by_name_and_not_unpickled(tmp_path, name):
    with pytest.raises(FormatError, match=f"{name} holds object values"):
        read(tmp_path, **{name: np.array(["left", "right"], object)})


@pytest.mark.parametrize("name", ["keypoint_scores", "confidence"])
@pytest.mark.parametrize("shape", [(2, 17), (2, 17, 1)])
def test_scores_beside_the_keypoints_are_their_confidences(tmp_path, name, shape):
    scores = np.linspace(0.3, 0.9, 34).reshape(2, 17)
    for keypoints in (POINTS, np.dstack([POINTS, scores])):
        found = read(tmp_path, keypoints, **{name: scores.reshape(shape)})
        np.testing.assert_allclose(found.confidence, scores, atol=1e-6)
        np.testing.assert_allclose(found.points, POINTS, atol=1e-4)
    with pytest.raises(FormatError, match="joints in 3D"):
        read(tmp_path, np.dstack([POINTS, scores / 2]), **{name: scores})
    with pytest.raises(FormatError, match=rf"{name} has shape \[2\], expected \[2, 17\]"):
        read(tmp_path, **{name: scores[:, 0]})


CAMERAS = {  # as results and as motions write them, and a focal length alone
    "people": ({"focal": [700.0] * 2, "center": [[300, 200]] * 2, "image_size": [[640, 480]] * 2}, (300, 200)),
    "one": ({"focal": 700.0, "center": [300, 200], "image_size": [640, 480]}, (300, 200)),
    "square": ({"focal": 700.0, "center": [300, 300], "image_size": [640, 480]}, (300, 300)),
    "focal alone": ({"focal": 700.0, "image_size": [640, 480]}, None),
}


@pytest.mark.parametrize(("arrays", "center"), CAMERAS.values(), ids=CAMERAS.keys())
def test_cameras_in_every_documented_shape(tmp_path, arrays, center):
    found = read(tmp_path, **{f"camera_{name}": np.array(value) for name, value in arrays.items()})
    assert found.image_size == (640, 480)
    assert found.intrinsics == Intrinsics(700.0, center)


@pytest.mark.parametrize("arrays", [{"focal": [0.0] * 2, "center": [[0, 0]] * 2}, {"focal": [700.0, 800.0]}])
def test_cameras_that_nobody_knows_or_that_differ(tmp_path, arrays):
    assert read(tmp_path, **{f"camera_{name}": np.array(value) for name, value in arrays.items()}).intrinsics is None


@pytest.mark.parametrize("value", [{"focal": "700"}, {"center": [1.0, 2, 3]}, {"image_size": [[[640, 480]]]}])
def test_cameras_in_other_shapes_are_refused_by_name(tmp_path, value):
    ((name, array),) = value.items()
    with pytest.raises(FormatError, match=f"camera_{name} is .*; expected numbers"):
        read(tmp_path, **{f"camera_{name}": np.array(array)})


SOURCES = {
    "bytes": (b"content", "of type bytes; .* PIL.Image.open"),
    "stream": (io.BytesIO(b"content"), "of type BytesIO; .* PIL.Image.open"),
    "paths": (["a.jpg", Path("b.jpg")], "of type list; .* predict_frames takes several files"),
    "float picture": (np.zeros((480, 500, 3)), r"a picture must be uint8 .* got float64 \[480, 500, 3\]"),
    "16 bits": (np.zeros((480, 500, 3), np.uint16), r"a picture must be uint8 .* got uint16 \[480, 500, 3\]"),
}


@pytest.mark.parametrize(("source", "message"), SOURCES.values(), ids=SOURCES.keys())
def test_what_is_neither_keypoints_nor_a_picture_is_called_by_its_name(source, message):
    with pytest.raises(InputError, match=message):
        array_to_keypoints(source, None)


def motion_file(tmp_path, **more) -> Path:
    """Two people in frames 4, 6, ... 24 at 50 a second, the second not detected in frame 6, as `Motion.save` writes."""
    frame, track = np.repeat(np.arange(4, 26, 2), 2), np.tile([3, 8], 11)
    keypoints = np.dstack([np.random.default_rng(0).uniform(10, 400, (22, 48, 2)), np.ones((22, 48))])
    keypoints[3] = 0
    camera = {"camera_focal": 700.0, "camera_center": [300, 200], "camera_image_size": [640, 480]}
    arrays = {"frame": frame, "track": track, "time": frame / 50, "keypoints": keypoints, "fps": 50.0, **camera, **more}
    np.savez(tmp_path / "motion.npz", **arrays)
    return tmp_path / "motion.npz"


def test_a_motion_is_its_frames(tmp_path):
    frames = read_keypoints(motion_file(tmp_path))
    assert [frame.name for frame in frames] == [f"motion_{i:06d}" for i in range(4, 26, 2)]
    assert [frame.keypoints.tracks for frame in frames] == [(3, 8), (3,), *[(3, 8)] * 9]
    assert {frame.keypoints.joint_set for frame in frames} == {"union48"}
    assert {frame.keypoints.intrinsics for frame in frames} == {Intrinsics(700, (300, 200))}
    assert rate_of(tmp_path / "motion.npz", None) == 25.0  # frames 4, 6, ... are 2, 3, ... of that rate
    assert rate_of(tmp_path / "motion.npz", 10.0) == 10.0


@pytest.mark.parametrize(
    "other", [{"track": 1}, {"track": np.ones(22)}, {"frame": np.arange(5)}, {"track": np.array(["a"] * 22, object)}]
)
def test_arrays_without_frames_and_numbers_of_people_are_one_picture(tmp_path, other):
    (frame,) = read_keypoints(motion_file(tmp_path, **other))
    assert len(frame.keypoints) == 22 and rate_of(tmp_path / "motion.npz", None) == 30.0
