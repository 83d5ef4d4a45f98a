"""Which joint of a recorded skeleton is which (by the common names), and the pose its rotations start from.

Understood: CMU in both cgspeed releases (Daz-friendly `lShldr`, MotionBuilder-friendly `LeftArm`), Mixamo
(`mixamorig:LeftArm`), LAFAN1, MakeHuman (`upperarm01.L`), `L_Shoulder`, `UpperArm_L` and the like.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pose2mesh.datasets.motion_pack import BONES
from pose2mesh.datasets.retarget import REST_DIRECTIONS
from pose2mesh.errors import FormatError

# Anny's bone: names in other skeletons, best first. A joint found for one bone is not offered to the next, so
# that `LeftShoulder` is the upper arm beside a `LeftCollar` and the clavicle beside a `LeftArm`.
_LIMBS = {
    "upperarm01": ("shldr", "arm", "upperarm", "uparm", "shoulder"),
    "clavicle": ("collar", "clavicle", "shoulder"),
    "lowerarm01": ("forearm", "lowerarm", "elbow"),
    "wrist": ("hand", "wrist"),
    "upperleg01": ("thigh", "upleg", "upperleg", "hip"),
    "lowerleg01": ("shin", "leg", "lowerleg", "calf", "knee"),
    "foot": ("foot", "ankle"),
}
_ENDS = ("wrist", "foot")
_AFTER = {"upperarm01": "lowerarm01", "lowerarm01": "wrist", "upperleg01": "lowerleg01", "lowerleg01": "foot"}

# The T-pose of the Daz-friendly files has elbows bent by 17 degrees and knees by 7 to 9; taken literally it
# would forbid straight limbs. Read off the packs: straight arms 8 degrees below horizontal, legs 1 degree inward.
_DAZ_ARM = np.array([np.cos(np.radians(8.0)), 0.0, -np.sin(np.radians(8.0))])
_DAZ_LEG = np.array([-np.sin(np.radians(1.0)), 0.0, -np.cos(np.radians(1.0))])


@dataclass(frozen=True)
class Skeleton:
    """A hierarchy as the file gives it."""

    names: tuple[str, ...]
    parents: tuple[int, ...]  # -1 for the root; a parent stands before its children
    offsets: np.ndarray  # [S, 3] from the parent, any unit


@dataclass(frozen=True)
class ReferencePose:
    """The T-pose, or A-pose, of a skeleton, against which rotations are counted."""

    world: np.ndarray  # [S, 3, 3] rotations of the pose itself in the axes of the file
    to_anny: np.ndarray  # [3, 3] from the axes of the file to Anny's
    directions: dict[str, np.ndarray]  # limb bone -> unit direction [3] in Anny's axes


def forward(skeleton: Skeleton, local: np.ndarray) -> np.ndarray:
    """World rotations [N, S, 3, 3] of local ones."""
    world = np.empty_like(local)  # [N, S, 3, 3]
    for joint, parent in enumerate(skeleton.parents):
        world[:, joint] = local[:, joint] if parent < 0 else world[:, parent] @ local[:, joint]
    return world


def match_bones(skeleton: Skeleton) -> list[int]:
    """The joint of the skeleton that moves each of BONES, [19]. Raises FormatError listing the missing."""
    named = {}  # (side, name) -> joint, the first of that name
    for joint, name in enumerate(skeleton.names):
        named.setdefault(_side_and_name(name), joint)
    found = {bone: named.get(("", stem)) for bone, stem in (("neck01", "neck"), ("head", "head"))}
    for side in "LR":
        taken: set[int] = set()
        for stem, names in _LIMBS.items():
            joints = [named[side, name] for name in names if (side, name) in named]
            if stem in _ENDS:
                joints.sort(key=lambda joint: len(_ancestors(skeleton, joint)))
            found[f"{stem}.{side}"] = joint = next((j for j in joints if j not in taken), None)
            taken.add(-1 if joint is None else joint)
    missing = [b for b, joint in found.items() if joint is None and not b.startswith(("clavicle", "neck"))]
    if not missing and found["neck01"] is None:
        found["neck01"] = _neck(skeleton, found["head"] or 0, found["upperarm01.L"] or 0)
    top = found["head"] if found["neck01"] is None else found["neck01"]
    trunk = [] if missing else _trunk(skeleton, top or 0, found["upperleg01.L"] or 0)
    if missing or len(trunk) < 2:
        missing = missing or ["spine01 (a joint between the hips and the neck)"]
        raise FormatError(
            f"no joint found for {', '.join(missing)} among {', '.join(skeleton.names)}; "
            "rename the joints to CMU's, such as LeftUpLeg, LeftLeg, LeftFoot, LeftArm, LeftForeArm, LeftHand"
        )
    found |= {"root": trunk[0], "spine03": trunk[len(trunk) // 2], "spine01": trunk[-1]}
    joints = [found[bone] for bone in BONES]
    return [trunk[-1] if joint is None else joint for joint in joints]  # no neck, no clavicle: they follow the chest


def find_reference(skeleton: Skeleton, bones: Sequence[int], poses: Sequence[np.ndarray]) -> ReferencePose:
    """The first of the poses, [S, 3, 3] world rotations each, that is a T or an A.

    Raises FormatError when none is.
    """
    is_daz = {"abdomen", "lshldr", "rshldr"} <= {name.lower() for name in skeleton.names}
    for world in poses:
        positions = _positions(skeleton, world)[list(bones)]  # [19, 3]
        to_anny = _axes(positions)
        if to_anny is None:
            continue
        directions = _daz_directions() if is_daz else _limb_directions(positions @ to_anny.T)
        if _is_standing(directions):
            return ReferencePose(world, to_anny, directions)
    raise FormatError(
        "neither the rest pose nor the first frame is a T-pose or A-pose with the legs straight down; "
        "put a T-pose into the first frame"
    )


def _side_and_name(name: str) -> tuple[str, str]:
    """Side (L, R or nothing) and lower-case name: `mixamorig:LeftArm` and `Arm_L` are (L, arm)."""
    bare = re.sub(r"^mixamorig\d*", "", name.rsplit(":", 1)[-1])
    bare = re.sub(r"(?<=[a-z])01(?=$|[ _.-][lrLR]$)", "", bare)  # the first part of a bone that MakeHuman divides
    patterns = (r"(?i:(left|right))[ _.-]?(.+)", r"([lrLR])[ _.-](.+)", r"([lr])([A-Z].*)")
    for pattern in patterns:
        if found := re.fullmatch(pattern, bare):
            return found[1][0].upper(), re.sub(r"[ _.-]", "", found[2]).lower()
    if found := re.fullmatch(r"(.+?)[ _.-]?(?i:(left|right))|(.+)[ _.-]([lrLR])", bare):
        return (found[2] or found[4])[0].upper(), re.sub(r"[ _.-]", "", found[1] or found[3]).lower()
    return "", re.sub(r"[ _.-]", "", bare).lower()


def _trunk(skeleton: Skeleton, neck: int, leg: int) -> list[int]:
    """Joints from the one that carries both legs and neck (the hips) up to the one below the neck."""
    up_from_neck, up_from_leg = _ancestors(skeleton, neck), _ancestors(skeleton, leg)
    hips = next((index for index, joint in enumerate(up_from_neck) if joint in up_from_leg), -1)
    return up_from_neck[: hips + 1][::-1]


def _neck(skeleton: Skeleton, head: int, arm: int) -> int | None:
    """Whatever its name: the lowest joint below the head that carries no arm, None where the chest carries the head."""
    carries_arm = _ancestors(skeleton, arm)
    return next((joint for joint in reversed(_ancestors(skeleton, head)) if joint not in carries_arm), None)


def _ancestors(skeleton: Skeleton, joint: int) -> list[int]:
    chain = []
    while (joint := skeleton.parents[joint]) >= 0:
        chain.append(joint)
    return chain


def _positions(skeleton: Skeleton, world: np.ndarray) -> np.ndarray:
    """Joint positions [S, 3] of a pose [S, 3, 3], root at the origin."""
    positions = np.zeros((len(skeleton.names), 3))
    for joint, parent in enumerate(skeleton.parents):
        if parent >= 0:
            positions[joint] = positions[parent] + world[parent] @ skeleton.offsets[joint]
    return positions


def _axes(positions: np.ndarray) -> np.ndarray | None:
    """Rotation [3, 3] to Anny's axes by the body itself, positions [19, 3]; None if it gives no directions.

    Up is the axis of the file nearest to hips -> head; left comes from the hips, and is an axis of the file
    too if within 10 degrees of one.
    """
    where = dict(zip(BONES, positions, strict=True))
    up = _nearest_axis(where["head"] - where["root"])  # [3]
    left = where["upperleg01.L"] - where["upperleg01.R"]  # [3]
    left = left - (left @ up) * up
    if np.linalg.norm(left) < 1e-6 * np.abs(positions).max(initial=1e-9):
        return None
    left /= np.linalg.norm(left)
    if left @ _nearest_axis(left) > np.cos(np.radians(10.0)):
        left = _nearest_axis(left)
    return np.stack([left, np.cross(up, left), up])  # rows: Anny's x, y, z in the axes of the file


def _nearest_axis(vector: np.ndarray) -> np.ndarray:
    axis = np.zeros(3)
    axis[np.abs(vector).argmax()] = np.sign(vector[np.abs(vector).argmax()])
    return axis


def _limb_directions(positions: np.ndarray) -> dict[str, np.ndarray]:
    """Unit directions of the limb bones by joint positions [19, 3]; the hand continues the forearm."""
    where = dict(zip(BONES, positions, strict=True))
    directions = {}
    for side in "LR":
        for stem, end in _AFTER.items():
            bone = where[f"{end}.{side}"] - where[f"{stem}.{side}"]  # [3]
            directions[f"{stem}.{side}"] = bone / max(np.linalg.norm(bone), 1e-9)
        directions[f"wrist.{side}"] = directions[f"lowerarm01.{side}"]
    return directions


def _daz_directions() -> dict[str, np.ndarray]:
    left = {stem: _DAZ_LEG if "leg" in stem else _DAZ_ARM for stem in REST_DIRECTIONS}
    return {f"{s}.{side}": d * (sign, 1, 1) for s, d in left.items() for side, sign in (("L", 1), ("R", -1))}


def _is_standing(directions: dict[str, np.ndarray]) -> bool:
    """Legs within 35 degrees of straight down, arms within 65 degrees of straight out to their own side."""
    legs = [d for name, d in directions.items() if "leg" in name]
    arms = [d * (1 if name.endswith("L") else -1, 1, 1) for name, d in directions.items() if "arm" in name]
    return all(-d[2] > np.cos(np.radians(35)) for d in legs) and all(d[0] > np.cos(np.radians(65)) for d in arms)
