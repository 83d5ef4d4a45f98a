"""What a network returned for a batch, as one `Person` after another: each owns its arrays, and pins no batch."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np

from pose2mesh.errors import FormatError, InputError
from pose2mesh.fitting.camera import assume_intrinsics, fit_cameras
from pose2mesh.geometry.mirroring import flip_faces, mirror_where
from pose2mesh.networks.prediction import Prediction
from pose2mesh.skeletons import BODY32, JointSet, convert
from pose2mesh.skeletons import joint_set as find_joint_set
from pose2mesh.skeletons.conversion import DERIVED
from pose2mesh.types import Keypoints2D, Person

Outputs = Literal["mesh", "parameters", "joints"]
OUTPUTS: tuple[Outputs, ...] = ("mesh", "parameters", "joints")  # from everything to the least

SEEN = 0.3  # confidence from which a joint counts as seen
_ENDS = {b: a for a, b in BODY32.bones if b not in find_joint_set("coco19").joints}  # points and what they hang on

_NO_VERTICES, _NO_FACES = np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)
_MIRROR = np.array([[1, -1, -1], [-1, 1, 1], [-1, 1, 1]], np.float32)  # M R M entry by entry, M = diag(-1, 1, 1)


class Answer(NamedTuple):
    """Of a network, for one person: root-relative, camera axes."""

    vertices: np.ndarray  # [V, 3] m, V = 0 without a mesh
    joints: np.ndarray  # [J, 3] m
    parameters: dict[str, np.ndarray] | None  # by name, where the network has some and they are wanted
    deviation: np.ndarray | None = None  # [J] m, where the network tells it


def check_outputs(outputs: str) -> None:
    """Raise InputError unless `outputs` is one of OUTPUTS."""
    if outputs not in OUTPUTS:
        raise InputError(f"outputs {outputs!r:.60} is none of {', '.join(OUTPUTS)}")


def check_fit(fit: bool) -> None:
    """Raise InputError for what is neither True nor False."""
    if not isinstance(fit, bool | np.bool_):
        raise InputError(f"fit is {fit!r:.60}; it must be True or False")


def answers_of(output: Prediction, is_left: np.ndarray, outputs: Outputs) -> list[Answer]:
    """The answers of a batch, one by one, in memory of their own; `is_left` bool [B] are mirrored back to left hands.

    `output` holds tensors as `Pose2Mesh.network` returns them. Raises InputError where parameters are wanted and the
    network has none, FormatError for numbers that are not finite.
    """
    joints = _array(output.joints)  # [B, J, 3]
    vertices = _array(output.vertices) if outputs == "mesh" else np.zeros((len(joints), 0, 3), np.float32)
    if not (np.isfinite(joints).all() and np.isfinite(vertices).all()):
        raise FormatError("the network returned numbers that are not finite: its weights are damaged; load others")
    if outputs == "parameters" and output.parameters is None:
        raise InputError(
            "these weights give no body parameters; take others, such as anny-key2mesh, or outputs='joints'"
        )
    parameters: list[dict[str, np.ndarray] | None] = [None] * len(joints)
    if output.parameters is not None and outputs != "joints":
        arrays = {name: _array(values) for name, values in output.parameters._asdict().items()}
        arrays["rotations"] = np.where(is_left[:, None, None, None], arrays["rotations"] * _MIRROR, arrays["rotations"])
        parameters = [{name: values[row].copy() for name, values in arrays.items()} for row in range(len(joints))]
    mirrored = (mirror_where(points, is_left) for points in (vertices, joints))
    deviation = output.deviation
    deviations = [None] * len(joints) if deviation is None else [row.copy() for row in _array(deviation)]
    return [Answer(v.copy(), j.copy(), p, d) for v, j, p, d in zip(*mirrored, parameters, deviations, strict=True)]


def assemble_people(
    frame: Keypoints2D, answers: Sequence[Answer], joint_names: tuple[str, ...], faces: dict[str | None, np.ndarray]
) -> list[Person]:
    """The people of one picture, in the network's joint set, with the cameras that see them; `faces_of_sides`."""
    if not answers:
        return []
    joints = np.stack([answer.joints for answer in answers])  # [P, J, 3]
    targets, weights = convert(frame.points, frame.confidence, frame.joint_set, JointSet("output", joint_names, ()))
    seen = seen_joints(frame, joint_names)  # [P, J]
    cameras = fit_cameras(joints, targets, weights, frame.image_size, frame.intrinsics)
    keypoints = np.concatenate([frame.points, frame.confidence[..., None]], -1).astype(np.float32)  # [P, J, 3]
    return [
        Person(
            answer.vertices,
            faces[side] if len(answer.vertices) else _NO_FACES,
            answer.joints,
            joint_names,
            keypoints[i].copy(),
            cameras[i],
            float(frame.confidence[i][frame.confidence[i] > 0].mean()),
            answer.parameters,
            handedness=side,
            track=frame.tracks[i] if frame.tracks else None,
            keypoint_names=find_joint_set(frame.joint_set).joints,
            uncertainty=answer.deviation,
            seen=seen[i],
        )
        for i, (answer, side) in enumerate(zip(answers, frame.handedness or [None] * len(frame), strict=True))
    ]


def rays_of(frame: Keypoints2D, joint_names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The picture's keypoints as the cameras of `assemble_people` see them, [P, J, 3] float32, and these [P, 3].

    x, y in focal lengths from the principal point, and confidence; zeros where the joint is missing. Of cameras the
    focal length and the principal point x, y in pixels.
    """
    points, confidence = convert(frame.points, frame.confidence, frame.joint_set, JointSet("output", joint_names, ()))
    flat = points.reshape(-1, 2), confidence.reshape(-1)
    focal, center = assume_intrinsics(*flat, frame.image_size, frame.intrinsics)
    rays = np.where(confidence[..., None] > 0, (points - np.asarray(center)) / focal, 0.0)
    cameras = np.tile([focal, *center], (len(points), 1))
    return np.concatenate([rays, confidence[..., None]], -1).astype(np.float32), cameras


def seen_joints(frame: Keypoints2D, joint_names: tuple[str, ...]) -> np.ndarray:
    """Which joints the picture reported with a confidence of `SEEN` or more, bool [P, J].

    A point of a foot, of a hand or the head's top also counts where the joint that it hangs on is seen (many detectors
    do not report it), pelvis and neck where one of the two joints is that they lie between.
    """
    source, sure = find_joint_set(frame.joint_set), frame.confidence >= SEEN
    columns = []
    for name in joint_names:
        chain = [name]
        while chain[-1] in _ENDS:
            chain.append(_ENDS[chain[-1]])
        parts = [part for joint in chain for part in (joint, *DERIVED.get(joint, ())) if part in source.joints]
        columns.append(sure[:, [source.index(part) for part in parts]].any(1))
    return np.stack(columns, 1)


def faces_of_sides(faces: np.ndarray) -> dict[str | None, np.ndarray]:
    """Faces [F, 3] by handedness, shared by all people, so nobody may write to them."""
    right = np.asarray(faces, np.int32).view()
    left = flip_faces(right)
    right.flags.writeable = left.flags.writeable = False
    return {None: right, "right": right, "left": left}


def without_mesh(person: Person) -> Person:
    """The same without vertices and faces."""
    return replace(person, vertices=_NO_VERTICES, faces=_NO_FACES)


def _array(tensor: Any) -> np.ndarray:
    return tensor.detach().float().cpu().numpy()
