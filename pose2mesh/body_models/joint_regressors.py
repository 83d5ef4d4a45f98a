"""Joint sets of a body as rows over its vertices, composed from bone heads and surface keypoints.

COCO-like sets use the surface regressor (what 2D annotators click), SMPL-like sets the vertices that carry the bone
heads at rest: exact there, but up to 5 cm from the heads of a body that bends. The SMPL-24 and Human3.6M sets are the
nearest anatomical points of Anny, not the points of those datasets.
"""

import numpy as np

from pose2mesh.errors import InputError
from pose2mesh.skeletons import JointSet
from pose2mesh.skeletons import joint_set as find_joint_set
from pose2mesh.skeletons.conversion import DERIVED

_SMPL_BONES = {
    "pelvis": "root", "spine1": "spine04", "spine2": "spine03", "spine3": "spine01",
    "neck_base": "neck01", "head": "head",
    **{
        f"{side}_{joint}": f"{bone}.{side[0].upper()}"
        for side in ("left", "right")
        for joint, bone in (
            ("hip", "upperleg01"), ("knee", "lowerleg01"), ("ankle", "foot"), ("foot", "toe1-1"),
            ("collar", "clavicle"), ("shoulder", "upperarm01"), ("elbow", "lowerarm01"),
            ("wrist", "wrist"), ("hand", "finger3-1"),
        )
    },
}  # fmt: skip
# Points of the hands and the neck that no surface regressor has: (bone, share) of their heads.
_BONE_POINTS = {
    "thorax": (("neck01", 1.0),), "upper_neck": (("neck03", 1.0),),
    **{
        f"{side}_{knuckle}": tuple((f"{bone}.{side[0].upper()}", share) for bone, share in bones)
        for side in ("left", "right")
        for knuckle, bones in (
            ("index", (("finger2-1", 1.0),)), ("pinky", (("finger5-1", 1.0),)),
            ("thumb", (("finger1-2", 0.5), ("finger1-3", 0.5))),  # MediaPipe's "second knuckle"
        )
    },
}  # fmt: skip
_TOES = {f"{side}_foot_index": (f"{side}_big_toe", f"{side}_small_toe") for side in ("left", "right")}
_HUMAN36M_BONES = {**_SMPL_BONES, "torso": "spine03", "neck": "neck01"}
_BONES = {"smpl24": _SMPL_BONES, "human36m17": _HUMAN36M_BONES}


def compose_regressor(
    joints: str | JointSet, bone_rows: dict[str, np.ndarray], keypoint_rows: dict[str, np.ndarray]
) -> np.ndarray:
    """Weights [J,V] of a joint set. Raises InputError when the body lacks one of its joints."""
    joints = find_joint_set(joints) if isinstance(joints, str) else joints
    bones = _BONES.get(joints.name, {})

    def row(joint: str) -> np.ndarray:
        if joint in bones:
            return bone_rows[bones[joint]]
        if joint in keypoint_rows:
            return keypoint_rows[joint]
        if joint in _TOES and all(toe in keypoint_rows for toe in _TOES[joint]):
            return 0.7 * keypoint_rows[_TOES[joint][0]] + 0.3 * keypoint_rows[_TOES[joint][1]]
        if joint in _BONE_POINTS and all(bone in bone_rows for bone, _ in _BONE_POINTS[joint]):
            return sum((share * bone_rows[bone] for bone, share in _BONE_POINTS[joint]), np.zeros(1))
        if joint in DERIVED:
            return np.mean([row(part) for part in DERIVED[joint]], axis=0)
        raise InputError(f"the body has no {joint!r}, so joint set {joints.name!r} cannot be regressed from it")

    return np.stack([row(joint) for joint in joints.joints])
