"""Joint sets by name and conversion between them."""

from pose2mesh.skeletons.conversion import convert
from pose2mesh.skeletons.joint_sets import (
    BODY_HANDS59,
    COCO17,
    HAND21,
    JOINT_SETS,
    JointSet,
    hand_of_body,
    joint_set,
    mirror_name,
)
from pose2mesh.skeletons.motion_bones import MOTION_BONES, MOTION_PARENTS

__all__ = [
    "BODY_HANDS59",
    "COCO17",
    "HAND21",
    "JOINT_SETS",
    "MOTION_BONES",
    "MOTION_PARENTS",
    "JointSet",
    "convert",
    "hand_of_body",
    "joint_set",
    "mirror_name",
]
