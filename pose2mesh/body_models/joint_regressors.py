"""Joint sets of a body as rows over its vertices, composed from bone heads and surface keypoints.

COCO-like sets use the surface regressor (what 2D annotators click), SMPL-like sets the bone heads. The SMPL-24 and
Human3.6M sets are the nearest anatomical points of Anny, not the points of those datasets.
"""

import numpy as np

from pose2mesh.errors import InputError
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
_HUMAN36M_BONES = {**_SMPL_BONES, "torso": "spine03", "neck": "neck01"}
_BONES = {"smpl24": _SMPL_BONES, "human36m17": _HUMAN36M_BONES}


def compose_regressor(name: str, bone_rows: dict[str, np.ndarray], keypoint_rows: dict[str, np.ndarray]) -> np.ndarray:
    """Weights [J,V] of a joint set. Raises InputError when the body lacks one of its joints."""
    joints = find_joint_set(name)
    bones = _BONES.get(joints.name, {})

    def row(joint: str) -> np.ndarray:
        if joint in bones:
            return bone_rows[bones[joint]]
        if joint in keypoint_rows:
            return keypoint_rows[joint]
        if joint in DERIVED:
            return np.mean([row(part) for part in DERIVED[joint]], axis=0)
        raise InputError(f"the body has no {joint!r}, so joint set {joints.name!r} cannot be regressed from it")

    return np.stack([row(joint) for joint in joints.joints])
