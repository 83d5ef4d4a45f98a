"""All people of one picture as one NPZ file: plain arrays, no pickles, listed in docs/conventions.md.

`faces` are those of a right hand where there are hands; a left hand's turn the other way around, so their last two
columns are exchanged.
"""

from pathlib import Path

import numpy as np

from pose2mesh.errors import FormatError, InputError
from pose2mesh.exporters.validation import check_person
from pose2mesh.geometry.mirroring import flip_faces
from pose2mesh.npz import check_shapes, read_arrays, write_arrays
from pose2mesh.types import Camera, Person

_SHAPES = {  # kinds of numbers and axes of each array that a file must hold
    "vertices": ("f", "PV3"),
    "faces": ("iu", "F3"),
    "joints": ("f", "PJ3"),
    "joint_names": ("U", "J"),
    "keypoints": ("f", "PK3"),
    "camera_focal": ("f", "P"),
    "camera_center": ("f", "P2"),
    "camera_translation": ("f", "P3"),
    "camera_image_size": ("iu", "P2"),
    "score": ("f", "P"),
}
_PARAMETER = "parameter_"
_HANDEDNESS, _KEYPOINT_NAMES = "handedness", "keypoint_names"
_PER_JOINT = {"uncertainty": ("f", "PJ"), "seen": ("b", "PJ")}  # that a file may hold


def clean_keypoints(keypoints: np.ndarray) -> np.ndarray:
    """Keypoints [J, 3] as float32 with zeros in place of whatever a missing one (confidence 0) holds."""
    keypoints = np.asarray(keypoints, np.float32)
    return np.where(keypoints[:, 2:] == 0, np.float32(0), keypoints)


def save_people(people: list[Person], path: str | Path) -> Path:
    """Write all people of one picture atomically to one .npz file, in the arrays that docs/conventions.md lists.

    Returns the path. Raises InputError when a person is malformed or the people differ in faces, joint names,
    number of keypoints or parameters; MachineError when the disk is full.
    """
    path = Path(path)
    if path.suffix.lower() != ".npz":
        raise InputError(f"cannot write several people to {path}: use the suffix .npz")
    for index, person in enumerate(people):
        check_person(person, f"people[{index}]")
        _check_alike(people[0], person, f"people[{index}]")
    arrays = _arrays(people)
    write_arrays(path, arrays)
    return path


def load_people(path: str | Path) -> list[Person]:
    """Read what `save_people` wrote. Nothing is unpickled.

    Raises MissingFileError without the file, FormatError when it is damaged, foreign or not consistent.
    """
    arrays = read_arrays(Path(path), tuple(_SHAPES), remedy="give a file that save_people wrote")
    _check_shapes(arrays, path)
    names = tuple(arrays["joint_names"].tolist())
    people = [_person(arrays, index, names) for index in range(len(arrays["vertices"]))]
    for index, person in enumerate(people):
        try:
            check_person(person, f"people[{index}]")
        except InputError as error:
            raise FormatError(f"{path} is damaged: {error}") from error
    return people


def _check_alike(first: Person, person: Person, where: str) -> None:
    """Raise InputError unless the two fit into the same arrays."""
    parts = {
        "faces": np.array_equal(_right_faces(first), _right_faces(person)),
        "handedness": (first.handedness is None) == (person.handedness is None),
        "vertices": len(first.vertices) == len(person.vertices),
        "joint_names": tuple(first.joint_names) == tuple(person.joint_names),
        "keypoints": len(first.keypoints) == len(person.keypoints),
        "parameters": _parameter_shapes(first) == _parameter_shapes(person),
        **{name: (getattr(first, name) is None) == (getattr(person, name) is None) for name in _PER_JOINT},
    }
    for name, alike in parts.items():
        if not alike:
            raise InputError(f"{where} and people[0] differ in {name}: write them to files of their own")


def _right_faces(person: Person) -> np.ndarray:
    """Faces [F, 3] of a body, of a right hand, or of the right hand that a left one mirrors."""
    return flip_faces(np.asarray(person.faces)) if person.handedness == "left" else np.asarray(person.faces)


def _parameter_shapes(person: Person) -> dict[str, tuple[int, ...]]:
    return {name: np.shape(value) for name, value in (person.parameters or {}).items()}


def _arrays(people: list[Person]) -> dict[str, np.ndarray]:
    """The arrays of the file; with nobody in the picture all of them are empty."""
    first = people[0] if people else None
    cameras = [person.camera or Camera(0.0, (0.0, 0.0), np.zeros(3)) for person in people]
    names = [str(name) for name in first.joint_names] if first else []
    arrays = {
        "vertices": _stack([person.vertices for person in people], (0, 3), np.float32),
        "faces": np.asarray(_right_faces(first) if first else np.zeros((0, 3)), np.int32),
        "joints": _stack([person.joints for person in people], (0, 3), np.float32),
        "joint_names": np.array(names, dtype=np.str_),
        "keypoints": _stack([clean_keypoints(person.keypoints) for person in people], (0, 3), np.float32),
        "camera_focal": _stack([camera.focal for camera in cameras], (), np.float64),
        "camera_center": _stack([camera.center for camera in cameras], (2,), np.float64),
        "camera_translation": _stack([camera.translation for camera in cameras], (3,), np.float64),
        "camera_image_size": _stack([camera.image_size or (0, 0) for camera in cameras], (2,), np.int32),
        "score": _stack([person.score for person in people], (), np.float64),
    }
    for name in _parameter_shapes(first) if first else ():
        arrays[_PARAMETER + name] = np.stack([np.asarray((person.parameters or {})[name]) for person in people])
    if first and {person.keypoint_names for person in people} == {first.keypoint_names} != {()}:
        arrays[_KEYPOINT_NAMES] = np.array(first.keypoint_names, dtype=np.str_)
    if first and first.handedness:
        arrays[_HANDEDNESS] = np.array([person.handedness for person in people], dtype=np.str_)
    for name in _PER_JOINT:
        if first and getattr(first, name) is not None:
            arrays[name] = np.stack([np.asarray(getattr(person, name)) for person in people])
    return arrays


def _stack(values: list, empty: tuple[int, ...], dtype: type) -> np.ndarray:
    """Stack along P; `empty` is the shape of one person's value when there is nobody."""
    return np.array(values, dtype) if values else np.zeros((0, *empty), dtype)


def _check_shapes(arrays: dict[str, np.ndarray], path: str | Path) -> None:
    """Raise FormatError unless every array has its kind of numbers and axes that agree."""
    optional = {**_PER_JOINT, _HANDEDNESS: ("U", "P"), _KEYPOINT_NAMES: ("U", "K")}
    known = _SHAPES | {name: optional[name] for name in optional.keys() & arrays.keys()}
    lengths = check_shapes(arrays, known, f"{path}: ")
    for name, array in arrays.items():
        if name.startswith(_PARAMETER) and array.shape[:1] != (lengths["P"],):
            raise FormatError(f"{path}: {name} has shape {list(array.shape)}; expected {lengths['P']} people first")


def _person(arrays: dict[str, np.ndarray], index: int, names: tuple[str, ...]) -> Person:
    """One person of the file; a focal length of 0 stands for no camera."""
    size = tuple(arrays["camera_image_size"][index].tolist())
    camera = Camera(
        focal=float(arrays["camera_focal"][index]),
        center=tuple(arrays["camera_center"][index].tolist()),
        translation=arrays["camera_translation"][index],
        image_size=size if any(size) else None,
    )
    parameters = {
        name.removeprefix(_PARAMETER): array[index] for name, array in arrays.items() if name.startswith(_PARAMETER)
    }
    side = str(arrays[_HANDEDNESS][index]) if _HANDEDNESS in arrays else None
    return Person(
        vertices=arrays["vertices"][index],
        faces=flip_faces(arrays["faces"]) if side == "left" else arrays["faces"],
        joints=arrays["joints"][index],
        joint_names=names,
        keypoints=arrays["keypoints"][index],
        camera=camera if camera.focal else None,
        score=float(arrays["score"][index]),
        parameters=parameters or None,
        handedness=side,
        keypoint_names=tuple(arrays[_KEYPOINT_NAMES].tolist()) if _KEYPOINT_NAMES in arrays else (),
        **{name: arrays[name][index] for name in _PER_JOINT if name in arrays},
    )
