"""The chain around the network, with a network whose answer is known."""

import json
import re

import numpy as np
import pytest
import torch
from fake_network import HEIGHT, FlatNetwork
from PIL import Image

from pose2mesh.detectors import get_detector
from pose2mesh.errors import InputError, NoPersonFoundError
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.skeletons import joint_set
from pose2mesh.types import Keypoints2D


def person(seed=0, joints=17):
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.uniform(100, 300, joints), rng.uniform(50, 450, joints), rng.uniform(0.5, 1, joints)])


class FixedDetector:
    """Finds the same people in every picture."""

    def __init__(self, people):
        self.people = np.asarray(people, np.float32)

    def detect(self, image):
        size = (image.shape[1], image.shape[0])
        return Keypoints2D(self.people[..., :2], self.people[..., 2], "coco17", size)


@pytest.fixture
def model():
    return Pose2Mesh(FlatNetwork())


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(np.zeros((480, 400, 3), np.uint8)).save(path)
    return path


def test_camera_sees_the_joints_at_the_keypoints(model):
    (found,) = model.predict(person())
    np.testing.assert_allclose(found.camera.project(found.joints), person()[:, :2], atol=0.05)
    focal, extent = found.camera.focal, np.ptp(person()[:, :2], axis=0).max()
    assert found.camera.translation[2] == pytest.approx(focal * HEIGHT / extent, rel=1e-3)
    assert found.score == pytest.approx(person()[:, 2].mean(), rel=1e-6)


def test_a_picture_of_pillow_is_one_and_stands_upright(model, photo):
    seen = []
    finder = FixedDetector([person()])
    finder.detect, detect = lambda image: seen.append(image) or detect(image), finder.detect
    lying = Image.fromarray(np.arange(40 * 60 * 3, dtype=np.uint8).reshape(40, 60, 3))
    lying.getexif()[0x0112] = 6
    assert len(model.predict(lying, detector=finder)) == 1
    np.testing.assert_array_equal(seen[0], np.rot90(np.asarray(lying), -1))
    gray = Image.open(photo).convert("L")
    assert len(model.predict(gray, detector=finder)) == 1
    assert seen[1].shape == (480, 400, 3)


def test_what_is_no_detector_and_no_batch_size_is_named(model, photo):
    for wrong in (None, 3):
        with pytest.raises(InputError, match=f"detector is {wrong}; give a name"):
            model.predict(photo, detector=wrong)
    with pytest.raises(InputError, match="unknown detector 'blazeposs'; did you mean blazepose"):
        model.predict(person(), detector="blazeposs")  # keypoints, which need none
    with pytest.raises(InputError, match=r"batch size is 2\.5; it must be a whole number"):
        model.predict(person(), batch_size=2.5)


def test_arguments_of_another_kind_are_named(model, tmp_path):
    wrong = {
        "fit is 'no'; it must be True or False": lambda: model.predict(person(), fit="no"),
        "handedness is 5; it must be left or right": lambda: model.predict(person(), handedness=5),
        "the source is 5; give the path of a file": lambda: list(model.predict_frames(5)),
        "tracker is 'bytetrack'; it must have update": lambda: list(model.track(tmp_path, tracker="bytetrack")),
        "start is 'x'; it must be the number of a frame": lambda: list(model.track(tmp_path, start="x")),
        "weights are 5; give a name": lambda: Pose2Mesh.from_pretrained(5),
    }
    for message, call in wrong.items():
        with pytest.raises(InputError, match=message):
            call()


def test_another_default_type_of_numbers_is_told_instead_of_a_traceback(model):
    torch.set_default_dtype(torch.float64)
    try:
        with pytest.raises(InputError, match=r"torch's default is torch.float64, networks have float32"):
            model.predict(person())
        with pytest.raises(InputError, match=r"torch's default is torch.float64, networks have float32"):
            Pose2Mesh.from_pretrained("anny-body")  # half of it would stay float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_batch_equals_single_whatever_the_batch_size(model):
    people = np.stack([person(i) for i in range(5)])
    size = (640, 480)  # without it one camera is guessed for all people who are given together
    expected = [model.predict(one, image_size=size)[0] for one in people]
    for batch_size in (1, 2, 64):
        model.network.batch_sizes.clear()
        found = model.predict(people, batch_size=batch_size, image_size=size)
        assert max(model.network.batch_sizes) == min(batch_size, 5)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a.vertices, b.vertices, atol=1e-6)
            np.testing.assert_array_equal(a.keypoints, b.keypoints)


def test_two_columns_mean_seen_and_joint_sets_are_converted_by_name(model):
    halpe = joint_set("halpe26")
    values = person(1, 26)
    (found,) = model.predict(values[:, :2])
    assert found.keypoints[:, 2].tolist() == [1] * 17
    np.testing.assert_allclose(found.keypoints[5, :2], values[halpe.index("left_shoulder"), :2], rtol=1e-6)
    human = joint_set("human36m17")
    (found,) = model.predict(person(2), joint_set="human36m17")
    np.testing.assert_allclose(found.keypoints[13, :2], person(2)[human.index("left_knee"), :2], rtol=1e-6)
    assert found.keypoints[1, 2] == 0  # that set has no eyes


BAD = {
    "nothing": (np.zeros((0, 3)), "nothing"),
    "no people": (np.zeros((0, 17, 3)), "nothing"),
    "one dimension": (np.ones(51), "shape"),
    "four columns": (np.ones((17, 4)), "shape"),
    "15 joints": (np.ones((15, 3)), "15 joints"),
    "objects": (np.full((17, 3), None), "object"),
    "ragged": ([[1, 2], [3]], "rectangular"),
    "gray picture": (np.zeros((40, 40, 1), np.uint8), "RGB"),
    "channels first": (np.zeros((3, 40, 40), np.uint8), r"\[height, width, 3\] RGB"),
    "keypoints as bytes": (np.ones((1, 17, 3), np.uint8), "keypoints another type"),
    "masked": (np.ma.masked_array(person(), np.eye(17, 3) > 0), "masked array"),
    "all missing": (np.zeros((17, 3)), "person 0: 0 visible joints"),
    "one joint": (np.eye(17, 1, k=-3) * [9, 9, 1], "1 visible joints"),
    "depth": (person() + np.eye(3)[2], r"third column runs from .* joints in 3D are not taken"),
    "fractions": (person() / [640, 480, 1], "size nobody told; give --image-size"),
    "one point": (np.ones((2, 17, 3)), "person 0: all visible joints lie at one point"),
    "nan": (np.where(np.eye(17, 3, k=-16) > 0, np.nan, person()), "person 0, joint right_ankle"),
    "far away": (np.where(np.eye(17, 3) * [1, 1, 0] > 0, 1e30, person()), "joint nose"),
}


@pytest.mark.parametrize(("source", "message"), BAD.values(), ids=BAD.keys())
def test_bad_keypoints(model, source, message):
    with pytest.raises(InputError, match=message):
        model.predict(source)


def test_a_weak_person_is_named_in_arrays_and_left_out_of_pictures(model, photo):
    people = np.stack([person(), np.zeros((17, 3)), person(1)])
    with pytest.raises(InputError, match="person 1: 0 visible"):
        model.predict(people)
    found = model.predict(photo, detector=FixedDetector(people))
    np.testing.assert_allclose([p.keypoints for p in found], people[[0, 2]], rtol=1e-6)
    with pytest.raises(InputError, match=r"photo.png: person 0: 0 visible"):
        model.predict(photo, detector=FixedDetector(people[1:2]))


def test_picture_size_reaches_the_camera(model, photo):
    for source in (photo, np.zeros((480, 400, 3), np.uint8)):
        (found,) = model.predict(source, detector=FixedDetector([person()]))
        assert found.camera.image_size == (400, 480)
        assert found.camera.focal == pytest.approx(np.hypot(400, 480))
        np.testing.assert_allclose(found.camera.project(found.joints), person()[:, :2], atol=0.05)


def test_nobody_and_no_detector(model, photo):
    with pytest.raises(NoPersonFoundError, match=r"photo\.png"):
        model.predict(photo, detector=FixedDetector(np.zeros((0, 17, 3))))
    with pytest.raises(InputError, match="needs a detector"):
        model.predict(photo, detector="none")
    with pytest.raises(InputError, match="unknown detector"):
        get_detector("openpose")


def test_frames_of_folders_and_sequences(model, photo, tmp_path):
    people = np.stack([[person(i)] for i in range(7)])  # [T, P, J, 3]
    people[3] = 0
    np.save(tmp_path / "walk.npy", people)
    frames = list(model.predict_frames([tmp_path / "walk.npy"], batch_size=2))
    assert [frame.name for frame in frames] == [f"walk_{t:06d}" for t in range(7)]
    assert [len(frame.people) for frame in frames] == [1, 1, 1, 0, 1, 1, 1]
    np.testing.assert_allclose(frames[5].people[0].keypoints, people[5, 0], rtol=1e-6)
    for inputs in ([tmp_path], tmp_path, str(tmp_path)):
        (frame,) = model.predict_frames(inputs, detector=FixedDetector([person()]))
        assert frame.name == "photo" and frame.image.shape == (480, 400, 3)  # pictures win over arrays beside them
    with pytest.raises(InputError, match="holds 7 frames"):
        model.predict(tmp_path / "walk.npy")


def test_json_file_gives_the_same_people_as_the_array(model, tmp_path):
    entry = {"image_id": 3, "keypoints": person().ravel().tolist(), "score": 1.0}
    (tmp_path / "a.json").write_text(json.dumps([entry]))
    (found,) = model.predict(tmp_path / "a.json")
    np.testing.assert_array_equal(found.vertices, model.predict(person())[0].vertices)


def test_the_call_is_the_plain_network(model):
    keypoints = torch.from_numpy(person()[None]).float()
    assert torch.equal(model(keypoints).joints, model.network(keypoints).joints)


def test_input_is_left_alone(model):
    values = person()
    values[3] = [np.nan, 1e30, 0]
    before = values.copy()
    model.predict(values)
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("anything", [np.nan, np.inf, -1e30])
def test_what_detectors_leave_in_missing_joints_goes_nowhere(photo, anything):
    """A detector may give anything where the confidence is not above 0, even as that confidence."""

    class Careless(FixedDetector):
        def detect(self, image):
            found = super().detect(image)
            found.points[:, [3, 9]], found.confidence[:, [3, 9]] = fill, min(fill, 0.0)
            return found

    model = Pose2Mesh.from_pretrained("anny-body")
    fill = 0.0
    expected = model.predict(photo, detector=Careless([person()]))[0]
    fill = anything
    found = model.predict(photo, detector=Careless([person()]))[0]
    np.testing.assert_array_equal(found.vertices, expected.vertices)
    np.testing.assert_array_equal(found.keypoints, expected.keypoints)
    np.testing.assert_array_equal(found.camera.translation, expected.camera.translation)


@pytest.mark.parametrize("size", [0, -3])
def test_batch_size_must_be_positive(model, size):
    with pytest.raises(InputError, match="batch size"):
        model.predict(person(), batch_size=size)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x" * 300 + ".jpg", "cannot be read (File name too long)"),
        ("loop/a.jpg", "cannot be read (Too many levels of symbolic links)"),
        ("a\0b.jpg", "no such file or folder"),
        ("file/a.jpg", "no such file or folder"),
        ("", "is a folder; predict_frames reads all of it"),
    ],
)
def test_a_name_that_leads_to_no_file_is_bad_input(model, tmp_path, name, message):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=re.escape(message)):
        model.predict(tmp_path / name)
    if name:
        with pytest.raises(InputError, match=re.escape(message)):
            next(model.predict_frames(f"{tmp_path}/{name}"))
        with pytest.raises(InputError, match=re.escape(message)):
            next(model.track(f"{tmp_path}/{name}"))


@pytest.mark.parametrize("anything", [None, 5, np.ones((17, 3))])
def test_a_motion_of_what_is_no_path_is_bad_input(model, anything):
    with pytest.raises(InputError, match="the source is "):
        next(model.track(anything))


@pytest.mark.parametrize("name", ["image_size", "joint_set", "outputs", "batch_size", "handedness"])
def test_messages_hold_no_whole_array(model, name):
    with pytest.raises(InputError) as told:
        model.predict(person(), **{name: [(640, 480)] * 300})
    assert str(told.value).count("640") < 9
    with pytest.raises(InputError) as told:
        next(model.track(np.ones((300, 17, 3))))
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize("device", ["tpu", "", None, "cuda:x", "cuda:99", "mps", "xpu", "meta"])
def test_what_is_no_device_of_this_machine_is_named(device):
    with pytest.raises(InputError, match="device "):
        Pose2Mesh.from_pretrained("anny-body", device=device)


@pytest.mark.parametrize("anything", [5, ("coco17",), b"coco17"])
def test_a_joint_set_that_is_no_name_is_bad_input(model, anything):
    with pytest.raises(InputError, match="unknown joint set"):
        model.predict(person(), joint_set=anything)
