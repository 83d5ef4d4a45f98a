"""What a user knows of the camera decides how far away people come out."""

import json

import numpy as np
import pytest
import torch
from fake_network import FlatNetwork
from PIL import Image
from test_pipeline import FixedDetector, person

from pose2mesh import Pose2Mesh
from pose2mesh.body_models import load_anny_body
from pose2mesh.cli.main import main
from pose2mesh.errors import InputError
from pose2mesh.exporters.archive import save_people
from pose2mesh.types import Camera

SIZE, FOCAL = (1920, 1080), 1400.0


@pytest.fixture(scope="module")
def shipped():
    return Pose2Mesh.from_pretrained("anny-body")


@pytest.fixture
def model():
    return Pose2Mesh(FlatNetwork())


def seen_from(depth: float) -> np.ndarray:
    """Keypoints [17, 3] of the mean body standing `depth` metres before the camera, a little aside."""
    body = load_anny_body()
    vertices = body.rest(torch.zeros(1, body.num_shape)).vertices[0].numpy()
    joints = body.joint_regressor("coco17") @ vertices * [1, -1, -1]  # y up to the camera's y down
    joints -= joints[[11, 12]].mean(0)
    points = Camera(FOCAL, (960.0, 540.0), np.array([0.4, -0.1, depth])).project(joints)
    return np.column_stack([points, np.ones(17)])


@pytest.mark.parametrize("depth", [3.0, 5.0, 8.0])
def test_people_come_out_where_they_stand(shipped, depth):
    (found,) = shipped.predict(seen_from(depth), intrinsics=FOCAL, image_size=SIZE)
    assert found.camera.translation[2] == pytest.approx(depth, rel=0.1)
    assert found.camera.translation[0] == pytest.approx(0.4, abs=0.08)
    assert found.camera.image_size == SIZE and found.camera.center == (960, 540)


def test_the_size_alone_keeps_distances_apart(shipped):
    """The diagonal stands in for the focal length, so all are off by one factor."""
    depths = [shipped.predict(seen_from(d), image_size=SIZE)[0].camera.translation[2] for d in (3.0, 5.0, 8.0)]
    np.testing.assert_allclose(depths, np.hypot(*SIZE) / FOCAL * np.array([3.0, 5.0, 8.0]), rtol=0.1)


def test_the_camera_of_arguments_goes_before_that_of_the_picture(model, tmp_path):
    exif = Image.Exif()
    exif[0x8769] = {0xA405: 26}
    path = tmp_path / "photo.jpg"
    Image.fromarray(np.zeros((480, 400, 3), np.uint8)).save(path, exif=exif)
    detector = FixedDetector([person()])
    cameras = [
        model.predict(path, detector=detector, **told)[0].camera
        for told in ({}, {"intrinsics": 321.0}, {"intrinsics": {"fx": 321, "cx": 190, "cy": 250}})
    ]
    assert cameras[0].focal == pytest.approx(26 / np.hypot(36, 24) * np.hypot(480, 400))
    assert [camera.focal for camera in cameras[1:]] == [321, 321]
    assert [camera.center for camera in cameras] == [(200, 240), (200, 240), (190, 250)]
    depths = [camera.translation[2] for camera in cameras]
    assert depths[0] / depths[1] == pytest.approx(cameras[0].focal / 321, rel=1e-3)


def test_a_result_that_is_read_again_keeps_its_camera(model, tmp_path):
    camera = {"intrinsics": {"fx": 700, "fy": 700, "cx": 230, "cy": 250}, "image_size": (400, 480)}
    found = model.predict(np.stack([person(), person(1)]), **camera)
    again = model.predict(save_people(found, tmp_path / "result.npz"))
    for before, after in zip(found, again, strict=True):
        assert after.camera.focal == 700 and after.camera.center == (230, 250)
        np.testing.assert_allclose(after.camera.translation, before.camera.translation, rtol=1e-6)
    (other,) = model.predict(tmp_path / "result.npz", intrinsics=500.0)[:1]
    assert other.camera.focal == 500
    arrays = dict(np.load(tmp_path / "result.npz")) | {"camera_focal": np.array([0.9, 0.9])}
    np.savez(tmp_path / "wrong.npz", **arrays)
    with pytest.raises(InputError, match=r"0\.9 pixels is too short"):
        model.predict(tmp_path / "wrong.npz")


def test_a_picture_of_pillow_has_the_camera_of_its_file(model, tmp_path):
    exif = Image.Exif()
    exif[0x8769] = {0xA405: 80}
    Image.fromarray(np.zeros((480, 640, 3), np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    finder = FixedDetector([person()])
    (of_file,), (of_picture,) = (
        model.predict(source, detector=finder) for source in (tmp_path / "a.jpg", Image.open(tmp_path / "a.jpg"))
    )
    assert of_picture.camera.focal == of_file.camera.focal == pytest.approx(80 / np.hypot(36, 24) * np.hypot(480, 640))


@pytest.mark.parametrize("size", [(400, 480.0), (0, 480), (400,), "400x480", np.ones((2, 2), int)])
def test_sizes_that_are_none(model, size):
    with pytest.raises(InputError, match="width, height"):
        model.predict(person(), image_size=size)


def test_a_picture_knows_its_size_better(model):
    picture, detector = np.zeros((480, 400, 3), np.uint8), FixedDetector([person()])
    assert model.predict(picture, detector=detector, image_size=(400, 480))[0].camera.image_size == (400, 480)
    with pytest.raises(InputError, match=r"the picture has 400x480 pixels, not 480x400"):
        model.predict(picture, detector=detector, image_size=(480, 400))


def test_the_command_takes_a_camera(tmp_path):
    np.save(tmp_path / "people.npy", seen_from(5.0)[None])
    (tmp_path / "camera.json").write_text(json.dumps({"fx": FOCAL, "fy": FOCAL, "cx": 960, "cy": 540}))
    command = ["predict", str(tmp_path / "people.npy"), "--save", "json", "--image-size", "1920x1080"]
    for options in (["--focal", "1400"], ["--intrinsics", str(tmp_path / "camera.json")]):
        assert main([*command, "-o", str(tmp_path / options[0]), *options]) == 0
        record = json.loads((tmp_path / options[0] / "people_0.json").read_text())
        assert record["camera"]["focal"] == FOCAL and record["camera"]["image_size"] == list(SIZE)
        assert record["camera"]["translation"][2] == pytest.approx(5, rel=0.1)


BAD = {
    "both": ["--focal", "9", "--intrinsics", "a.json"],
    "no number": ["--focal", "wide"],
    "negative": ["--focal", "-3"],
    "nan": ["--focal", "nan"],
    "no file": ["--intrinsics", "nowhere.yaml"],
    "no size": ["--image-size", "large"],
}


@pytest.mark.parametrize("options", BAD.values(), ids=BAD.keys())
def test_the_command_refuses_what_is_no_camera(tmp_path, capsys, options):
    np.save(tmp_path / "people.npy", person()[None])
    assert main(["predict", str(tmp_path / "people.npy"), "-o", str(tmp_path / "out"), *options]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "Traceback" not in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("camera", [{"fx": 1.2, "cx": 0.5, "cy": 0.5}, 35.0])
def test_a_focal_length_in_other_units_is_refused(model, camera):
    """Fractions of the picture and millimetres give people at a few centimetres, or kilometres aside."""
    for told in ({"image_size": (400, 480)}, {}):
        with pytest.raises(InputError, match="pixels of this picture, not millimetres"):
            model.predict(person(), intrinsics=camera, **told)
    assert model.predict(person(), intrinsics=60.0)


@pytest.mark.parametrize("subject", ["age=8", {"age": 8}])
def test_a_subject_is_a_subject(model, subject):
    with pytest.raises(InputError, match=r"give a Subject, as in Subject\(age=8"):
        model.predict(person(), subject=subject)
