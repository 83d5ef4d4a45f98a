"""Errors of the joints that PoseNet lifts: what the release measures in its first stage."""

from torch import Tensor

from pose2mesh.evaluation.protocols.rules import Rules
from pose2mesh.metrics import mpjpe, pa_mpjpe
from pose2mesh.skeletons import joint_set


class JointErrors:
    """Compares joints of a network's own set, relative to its root: those that the protocol counts, else all."""

    def __init__(self, rules: Rules, input_set: str):
        joints = joint_set(input_set)
        root = joints.root or "pelvis"
        counted = rules.evaluated if input_set == rules.joint_set else joints.joints
        self.root, self.counted = joints.index(root), [joints.index(name) for name in counted]

    def __call__(self, lifted: Tensor, truth: Tensor) -> dict[str, Tensor]:
        """Errors [B] m of joints [B, J, 3] m."""
        ours, true = ((points - points[:, self.root, None])[:, self.counted] for points in (lifted, truth))
        return {"pa_mpjpe": pa_mpjpe(ours, true), "mpjpe": mpjpe(ours, true)}
