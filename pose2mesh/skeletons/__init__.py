"""Joint sets by name and conversion between them."""

from pose2mesh.skeletons.conversion import convert
from pose2mesh.skeletons.joint_sets import JOINT_SETS, JointSet, joint_set, mirror_name

__all__ = ["JOINT_SETS", "JointSet", "convert", "joint_set", "mirror_name"]
