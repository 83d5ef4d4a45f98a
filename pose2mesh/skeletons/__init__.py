"""Joint sets by name and conversion between them."""

from pose2mesh.skeletons.conversion import convert
from pose2mesh.skeletons.joint_sets import COCO17, JOINT_SETS, JointSet, joint_set, mirror_name
from pose2mesh.skeletons.motion_bones import MOTION_BONES, MOTION_PARENTS

__all__ = ["COCO17", "JOINT_SETS", "MOTION_BONES", "MOTION_PARENTS", "JointSet", "convert", "joint_set", "mirror_name"]
