from dataclasses import replace

import numpy as np
import pytest

from pose2mesh.errors import FormatError, InputError, MissingFileError
from pose2mesh.exporters import load_people, save_people, save_person
from pose2mesh.types import Camera, Person

FACES = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]], np.int32)
NAMES = ("pelvis", "linke Schulter", "鼻")


def _person(seed: int, camera: bool = True, parameters: bool = True) -> Person:
    generator = np.random.default_rng(seed)
    return Person(
        generator.normal(size=(4, 3)).astype(np.float32),
        FACES,
        generator.normal(size=(3, 3)).astype(np.float32),
        NAMES,
        np.abs(generator.normal(size=(17, 3))).astype(np.float32),
        Camera(1000.1, (320.3, 240.7), generator.normal(size=3), (640, 480)) if camera else None,
        score=0.7,
        keypoint_names=tuple(map(str, range(17))) if parameters else (),
        uncertainty=generator.uniform(size=3).astype(np.float32) if parameters else None,
        seen=generator.uniform(size=3) > 0.5 if parameters else None,
        parameters={"pose_rotvec": generator.normal(size=(2, 3)).astype(np.float32)} if parameters else None,
    )


def _assert_equal(read: Person, written: Person) -> None:
    for name in ("vertices", "faces", "joints", "keypoints"):
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name))
        assert getattr(read, name).dtype == getattr(written, name).dtype
    assert (read.joint_names, read.keypoint_names) == (written.joint_names, written.keypoint_names)
    assert read.score == written.score
    if written.camera is None:
        assert read.camera is None
    else:
        assert (read.camera.focal, read.camera.center) == (written.camera.focal, written.camera.center)
        assert read.camera.image_size == written.camera.image_size
        np.testing.assert_array_equal(read.camera.translation, written.camera.translation)
    np.testing.assert_array_equal(read.uncertainty, written.uncertainty)
    np.testing.assert_array_equal(read.seen, written.seen)
    assert (read.parameters or {}).keys() == (written.parameters or {}).keys()
    for name, value in (written.parameters or {}).items():
        np.testing.assert_array_equal(read.parameters[name], value)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_people_come_back_as_they_were(count, tmp_path):
    people = [_person(seed, camera=seed != 1) for seed in range(count)]
    read = load_people(save_people(people, tmp_path / "result.npz"))
    assert len(read) == count
    for one, other in zip(read, people, strict=True):
        _assert_equal(one, other)


def test_one_person_is_the_same_format(tmp_path):
    person = _person(0, camera=False, parameters=False)
    (read,) = load_people(save_person(person, tmp_path / "one.npz"))
    _assert_equal(read, person)


def test_the_arrays_are_those_of_the_contract(tmp_path):
    path = save_people([_person(0), _person(1)], tmp_path / "result.npz")
    with np.load(path, allow_pickle=False) as arrays:
        shapes = {name: arrays[name].shape for name in arrays}
        assert arrays["joint_names"].dtype.kind == "U"
    assert shapes == {
        "vertices": (2, 4, 3),
        "faces": (4, 3),
        "joints": (2, 3, 3),
        "joint_names": (3,),
        "keypoints": (2, 17, 3),
        "keypoint_names": (17,),
        "camera_focal": (2,),
        "camera_center": (2, 2),
        "camera_translation": (2, 3),
        "camera_image_size": (2, 2),
        "score": (2,),
        "uncertainty": (2, 3),
        "seen": (2, 3),
        "parameter_pose_rotvec": (2, 2, 3),
    }


def test_missing_keypoints_are_stored_as_zeros(tmp_path):
    keypoints = np.array([[1, 2, 0.5], [np.nan, np.inf, 0]])
    (read,) = load_people(
        save_people([replace(_person(0), keypoints=keypoints, keypoint_names=())], tmp_path / "result.npz")
    )
    np.testing.assert_array_equal(read.keypoints, np.float32([[1, 2, 0.5], [0, 0, 0]]))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("faces", FACES[:3]),
        ("vertices", np.zeros((5, 3))),
        ("joint_names", ("a", "b", "c")),
        ("keypoints", np.ones((19, 3))),
        ("parameters", None),
    ],
)
def test_people_that_do_not_fit_together_are_refused(field, value, tmp_path):
    people = [_person(0), replace(_person(1), **{field: value})]
    with pytest.raises(InputError, match=rf"people\[1\] and people\[0\] differ in {field}"):
        save_people(people, tmp_path / "result.npz")
    assert not list(tmp_path.iterdir())


def test_the_malformed_one_of_many_is_named(tmp_path):
    with pytest.raises(InputError, match=r"people\[1\]\.score"):
        save_people([_person(0), replace(_person(1), score=np.nan)], tmp_path / "result.npz")
    with pytest.raises(InputError, match=r"suffix \.npz"):
        save_people([_person(0)], tmp_path / "result.json")


def _changed(tmp_path, **changes) -> object:
    """A good file in which arrays are replaced, or left out where the change is None."""
    path = save_people([_person(0)], tmp_path / "result.npz")
    with np.load(path) as arrays:
        content = {name: arrays[name] for name in arrays} | changes
    np.savez(path, **{name: array for name, array in content.items() if array is not None})
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vertices": None, "faces": None}, "lacks vertices, faces"),
        ({"vertices": np.zeros((2, 4, 3))}, r"\[P"),
        ({"vertices": np.zeros((1, 4, 3), int)}, "vertices is int64"),
        ({"vertices": np.full((1, 4, 3), np.nan)}, "damaged.*vertices.*not finite"),
        ({"faces": FACES + 1}, "damaged.*faces names vertices 1 to 4, but there are 4"),
        ({"joint_names": np.array(["a"])}, "joint_names|joints"),
        ({"joint_names": np.array([None, 1, "a"])}, "object|damaged"),
        ({"camera_focal": np.array([-1.0])}, "damaged.*focal"),
        ({"parameter_pose_rotvec": np.zeros((3, 2))}, "parameter_pose_rotvec"),
        ({"parameter_pose_rotvec": np.array(0.0)}, "parameter_pose_rotvec"),
    ],
)
def test_inconsistent_files_are_refused(changes, message, tmp_path):
    with pytest.raises(FormatError, match=message):
        load_people(_changed(tmp_path, **changes))


def test_a_missing_or_foreign_file_is_named(tmp_path):
    with pytest.raises(MissingFileError, match=r"none\.npz"):
        load_people(tmp_path / "none.npz")
    foreign = tmp_path / "foreign.npz"
    foreign.write_bytes(b"hello")
    with pytest.raises(FormatError, match=r"foreign\.npz is damaged or no NPZ"):
        load_people(foreign)


def test_damaged_files_raise_format_errors_only(tmp_path):
    content = save_people([_person(0)], tmp_path / "good.npz").read_bytes()
    generator = np.random.default_rng(0)
    path = tmp_path / "damaged.npz"
    refused = 0
    for trial in range(300):
        damaged = bytearray(content)
        if trial < 64:
            damaged = damaged[: len(content) * trial // 64]
        else:
            for position in generator.integers(0, len(content), 8):
                damaged[position] = generator.integers(0, 256)
        path.write_bytes(damaged)
        try:
            load_people(path)
        except FormatError:
            refused += 1
    assert refused > 250


def test_hands_share_faces_and_keep_their_sides(tmp_path):
    right = replace(_person(0), handedness="right")
    left = replace(_person(1), handedness="left", faces=FACES[:, [0, 2, 1]])
    path = save_people([left, right], tmp_path / "hands.npz")
    read = load_people(path)
    assert [hand.handedness for hand in read] == ["left", "right"]
    np.testing.assert_array_equal(read[0].faces, left.faces)
    np.testing.assert_array_equal(read[1].faces, FACES)
    with pytest.raises(InputError, match="handedness"):
        save_people([right, _person(1)], tmp_path / "mixed.npz")
    for sides in (["left"], ["left", "up"], [0, 1]):
        arrays = {**np.load(path), "handedness": np.array(sides)}
        np.savez(tmp_path / "bad.npz", **arrays)
        with pytest.raises(FormatError, match="handedness"):
            load_people(tmp_path / "bad.npz")
