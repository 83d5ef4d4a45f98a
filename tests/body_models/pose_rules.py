"""The rules of docs/data.md that turn 19 captured bones into all bones of a body, written again with scipy."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

LIMBS = ("clavicle", "upperarm01", "lowerarm01", "wrist", "upperleg01", "lowerleg01", "foot")
CAPTURED = ("root", "spine03", "spine01", "neck01", "head", *(f"{bone}.{side}" for side in "LR" for bone in LIMBS))
BETWEEN = {
    "spine04": ("root", "spine03", 0.5),
    "spine02": ("spine03", "spine01", 0.5),
    "neck02": ("neck01", "head", 0.33),
    "neck03": ("neck01", "head", 0.67),
}


def twist_about(rotation: Rotation, axis: np.ndarray) -> Rotation:
    """The part of a rotation that turns about `axis` [3]: the quaternion's imaginary part projected on it."""
    x, y, z, w = rotation.as_quat()
    return Rotation.from_quat([*(np.dot([x, y, z], axis) * axis), w])


def expand(captured: np.ndarray, bones: Sequence[str], parents: Sequence[int], heads: Mapping[str, np.ndarray]):
    """World rotations of the captured bones [19,3,3] to those of all bones [K,3,3]; `heads` at rest, same axes."""
    world = {name: Rotation.from_matrix(matrix) for name, matrix in zip(CAPTURED, captured, strict=True)}
    for bone, (start, end, fraction) in BETWEEN.items():
        world[bone] = Slerp([0, 1], Rotation.concatenate([world[start], world[end]]))(fraction)
    for side in "LR":
        elbow, wrist = world[f"lowerarm01.{side}"], world[f"wrist.{side}"]
        axis = heads[f"wrist.{side}"] - heads[f"lowerarm01.{side}"]
        twist = twist_about(elbow.inv() * wrist, axis / np.linalg.norm(axis))
        world[f"lowerarm02.{side}"] = elbow * Rotation.from_rotvec(0.5 * twist.as_rotvec())
    for bone, parent in zip(bones, parents, strict=True):
        world.setdefault(bone, world[bones[parent]] if parent >= 0 else Rotation.identity())
    return np.stack([world[bone].as_matrix() for bone in bones])
