"""Joint sets by name and conversion between them."""

from pose2mesh.skeletons.conversion import convert
from pose2mesh.skeletons.joint_sets import (
    BODY32,
    BODY_HANDS59,
    COCO17,
    COCO23,
    COCO_ROWS,
    HAND21,
    MEDIAPIPE33,
    PELVIS_ROW,
    UNION48,
    WITH_HANDS,
    hand_of_body,
    joint_set,
    joint_sets,
)
from pose2mesh.skeletons.motion_bones import MIRROR_BONES, MOTION_BONES, MOTION_PARENTS
from pose2mesh.skeletons.structure import JointSet, mirror_name

__all__ = [
    "BODY32",
    "BODY_HANDS59",
    "COCO17",
    "COCO23",
    "COCO_ROWS",
    "HAND21",
    "MEDIAPIPE33",
    "MIRROR_BONES",
    "MOTION_BONES",
    "MOTION_PARENTS",
    "PELVIS_ROW",
    "UNION48",
    "WITH_HANDS",
    "JointSet",
    "convert",
    "hand_of_body",
    "joint_set",
    "joint_sets",
    "mirror_name",
]
