"""Refuse a malformed person before anything is written, and after anything was read."""

import numpy as np

from pose2mesh.errors import InputError
from pose2mesh.types import Camera, Person


def check_person(person: Person, where: str = "person") -> None:
    """Raise InputError, naming the field, unless shapes agree, numbers are finite and faces name vertices.

    `where` names the person in the message, for example `people[3]`. Keypoints of confidence 0 may hold anything.
    """
    vertices = _numbers(person.vertices, (None, 3), f"{where}.vertices")  # [V, 3]
    faces = np.asarray(person.faces)  # [F, 3]
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in "iu":
        raise InputError(f"{where}.faces is {faces.dtype} {list(faces.shape)}; expected integers [F, 3]")
    if faces.size and not 0 <= faces.min() <= faces.max() < len(vertices):
        raise InputError(
            f"{where}.faces names vertices {faces.min()} to {faces.max()}, but there are {len(vertices)}: "
            "faces and vertices belong to different bodies"
        )
    joints = _numbers(person.joints, (None, 3), f"{where}.joints")  # [J, 3]
    if len(joints) != len(person.joint_names):
        raise InputError(f"{where} has {len(joints)} joints but {len(person.joint_names)} joint_names")
    keypoints = np.asarray(person.keypoints)  # [J, 3]
    if keypoints.ndim != 2 or keypoints.shape[1] != 3 or keypoints.dtype.kind not in "fiu":
        raise InputError(f"{where}.keypoints is {list(keypoints.shape)}; expected [J, 3]: x, y, confidence")
    _numbers(keypoints[keypoints[:, 2] != 0], (None, 3), f"{where}.keypoints")
    _numbers(person.score, (), f"{where}.score")
    if person.camera is not None:
        _check_camera(person.camera, f"{where}.camera")
    if person.handedness not in (None, "left", "right"):
        raise InputError(f"{where}.handedness is {person.handedness!r}; expected left, right or None")
    if person.uncertainty is not None:
        _numbers(person.uncertainty, (len(joints),), f"{where}.uncertainty")
    if person.seen is not None and (np.asarray(person.seen).dtype != bool or np.shape(person.seen) != (len(joints),)):
        raise InputError(f"{where}.seen is {np.shape(person.seen)}; expected bool [{len(joints)}], one for each joint")
    for name, value in (person.parameters or {}).items():
        _numbers(value, np.shape(value), f"{where}.parameters[{name!r}]")


def _check_camera(camera: Camera, where: str) -> None:
    if not _numbers(camera.focal, (), f"{where}.focal") > 0:
        raise InputError(f"{where}.focal is {camera.focal}; expected pixels > 0")
    _numbers(camera.center, (2,), f"{where}.center")
    _numbers(camera.translation, (3,), f"{where}.translation")
    if camera.image_size is not None and not (_numbers(camera.image_size, (2,), f"{where}.image_size") > 0).all():
        raise InputError(f"{where}.image_size is {camera.image_size}; expected (width, height) > 0")


def _numbers(value: object, shape: tuple[int | None, ...], where: str) -> np.ndarray:
    """The value as an array; InputError unless numeric, finite as float32 and of this shape (None: any)."""
    array = np.asarray(value)
    fits = array.ndim == len(shape) and all(n in (None, m) for n, m in zip(shape, array.shape, strict=True))
    if not fits or array.dtype.kind not in "fiu":
        wanted = ["any" if n is None else n for n in shape]
        raise InputError(f"{where} is {array.dtype} {list(array.shape)}; expected numbers of shape {wanted}")
    wrong = np.argwhere(~(np.abs(array) <= np.finfo(np.float32).max))
    if len(wrong):
        raise InputError(f"{where}{wrong[0].tolist()} is not finite; {len(wrong)} of {array.size} values are not")
    return array
