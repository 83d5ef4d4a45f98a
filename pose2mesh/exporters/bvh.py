"""One person of a motion as BVH, for programs that retarget bones: Blender, MotionBuilder, Maya, Rokoko.

Centimetres, y up. The zero pose is a T-pose: straight arms along x, straight legs down, trunk and feet as in Anny's
rest. Bones that copy their parent (fingers, toes) are left out; the others have the names of the field (Mixamo's).
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from pose2mesh.errors import InputError, optional_import
from pose2mesh.exporters.character import Character, characters
from pose2mesh.paths import write_bytes
from pose2mesh.types import Motion

_CENTIMETRES = 100.0
_MOST_FRAMES = 500_000  # more than four hours at 30 a second; what files of more are for nobody can open
_ORDER = "ZXY"  # of the rotation channels, as most recordings have it
_TRUNK = {
    **{"root": "Hips", "spine04": "Spine", "spine03": "Spine1", "spine02": "Spine2", "spine01": "Spine3"},
    **{"neck01": "Neck", "neck02": "Neck1", "neck03": "Neck2", "head": "Head"},
}
_LIMBS = {
    **{"clavicle": "Shoulder", "upperarm01": "Arm", "lowerarm01": "ForeArm", "lowerarm02": "ForeArmTwist"},
    **{"wrist": "Hand", "upperleg01": "UpLeg", "lowerleg01": "Leg", "foot": "Foot"},
}
NAMES = _TRUNK | {f"{b}.{s}": side + n for b, n in _LIMBS.items() for s, side in (("L", "Left"), ("R", "Right"))}
_LIMB_ENDS = {  # what a limb bone points at
    **{"upperarm01": "lowerarm01", "lowerarm01": "wrist", "lowerarm02": "wrist", "wrist": "finger3-1"},
    **{"upperleg01": "lowerleg01", "lowerleg01": "foot"},
}
_TIPS = {"head": "eye.L"} | {
    f"{bone}.{side}": f"{tip}.{side}" for bone, tip in (("wrist", "finger3-3"), ("foot", "toe2-3")) for side in "LR"
}


def write_bvh(motion: Motion, path: Path) -> None:
    """Write the only person of a motion at its frame rate, gaps filled by interpolation, atomically.

    Files of `motion.only(track)` begin at the first frame of the whole motion and end at its last.
    Raises InputError for several people or for a span of many hours, MissingDependencyError without pybvh.
    """
    if len(motion.tracks) != 1:
        people = ", ".join(map(str, motion.tracks))
        raise InputError(f"{path}: BVH holds one person, the motion has {people}; save motion.only(track) of each")
    with optional_import("writing BVH needs pybvh: pip install 'pose2mesh[bvh]'"):
        import pybvh
    (character,) = characters(motion)
    frames = float(np.ptp(character.times)) * motion.fps
    if frames > _MOST_FRAMES:
        raise InputError(
            f"{path}: {frames:.0f} frames, of {len(motion)} that were seen; BVH holds each, at most {_MOST_FRAMES}: "
            "save the stretches of motion.select apart"
        )
    character = at_rate(character, motion.fps)
    body = character.body
    straight = straight_limbs(body.groups, body.bone_names, character.heads)  # [G, 3, 3]
    parents = character.group_parents
    local = straight[parents] @ character.relative() @ straight.swapaxes(-1, -2)  # [T, G, 3, 3]
    local[:, 0] = character.groups[:, 0]
    count = len(local)
    angles = Rotation.from_matrix(local.reshape(-1, 3, 3)).as_euler(_ORDER).reshape(count, -1, 3)
    angles = np.unwrap(angles, axis=0)
    nodes, order = _hierarchy(character, straight)
    bvh = pybvh.Bvh(nodes, character.root * _CENTIMETRES, angles[:, order], 1 / motion.fps, world_up="+y")
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "motion.bvh"
        pybvh.write_bvh_file(bvh, draft)
        content = draft.read_bytes()
    write_bytes(path, content)


def at_rate(character: Character, fps: float) -> Character:
    """The same motion at even times, between the frames along the shortest turn."""
    start, end = character.times[[0, -1]]
    times = start + np.arange(int((end - start) * fps + 0.5) + 1) / fps
    times = times.clip(start, end)
    if len(character.times) == 1:
        return character
    tracks = [Slerp(character.times, Rotation.from_matrix(group)) for group in character.groups.swapaxes(0, 1)]
    root = np.stack([np.interp(times, character.times, axis) for axis in character.root.T], -1)  # [T, 3]
    return character._replace(
        times=times, groups=np.stack([track(times).as_matrix() for track in tracks], 1), root=root
    )


def straight_limbs(bones: Sequence[str], names: Sequence[str], heads: np.ndarray) -> np.ndarray:
    """World rotations [n, 3, 3] of `bones` that make a T-pose of the rest pose with heads [K, 3] of bones `names`."""
    rotations = np.tile(np.eye(3), (len(bones), 1, 1))
    for row, bone in enumerate(bones):
        stem, _, side = bone.partition(".")
        if stem in _LIMB_ENDS:
            start = stem.replace("lowerarm02", "lowerarm01")
            ends = [heads[names.index(f"{name}.{side}")] for name in (start, _LIMB_ENDS[stem])]
            out = [1.0 if side == "L" else -1.0, 0.0, 0.0]
            rotations[row] = _smallest_turn(ends[1] - ends[0], np.array([0.0, -1.0, 0.0] if "leg" in stem else out))
    return rotations


def _smallest_turn(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Rotation [3, 3] about the common normal that turns direction `start` [3] to the unit vector `end` [3]."""
    normal = np.cross(start, end)
    angle = np.arctan2(np.linalg.norm(normal), start @ end)
    return Rotation.from_rotvec(normal / max(np.linalg.norm(normal), 1e-12) * angle).as_matrix()


def _hierarchy(character: Character, straight: np.ndarray) -> tuple[list, list[int]]:
    """Nodes of the T-pose, depth first as BVH lists them, and the group of each joint."""
    from pybvh.bvhnode import BvhEndSite, BvhJoint, BvhRoot

    body, heads = character.body, character.heads * _CENTIMETRES
    at = {name: heads[body.bone_names.index(name)] for name in (*body.groups, *_TIPS.values())}
    parents = character.group_parents
    nodes, order = [], []

    def add(group: int, parent) -> None:
        bone = body.groups[group]
        if parent is None:
            node = BvhRoot(NAMES[bone], [0.0, 0.0, 0.0], list("XYZ"), list(_ORDER))
        else:
            above = parents[group]
            offset = straight[above] @ (at[bone] - at[body.groups[above]])
            node = BvhJoint(NAMES[bone], offset, list(_ORDER), [], parent)
            parent.children.append(node)
        nodes.append(node)
        order.append(group)
        for child in np.flatnonzero(parents == group):
            add(int(child), node)
        if bone in _TIPS:
            tip = BvhEndSite(f"EndSite{node.name}", straight[group] @ (at[_TIPS[bone]] - at[bone]), node)
            node.children.append(tip)
            nodes.append(tip)

    add(0, None)
    return nodes, order
