"""Errors by the rules of a protocol: of the joints that PoseNet lifts, and of predicted meshes."""

import numpy as np
import torch
from torch import Tensor

from pose2mesh.body_models import LicensedBody
from pose2mesh.errors import InputError
from pose2mesh.evaluation.protocols.rules import Rules
from pose2mesh.metrics import hand_errors, mpjpe, mpvpe, pa_mpjpe, pa_mpvpe
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


class MeshErrors:
    """Joints off the mesh, roots and measures of one protocol."""

    def __init__(self, rules: Rules, body: LicensedBody, device: torch.device):
        joints = joint_set(rules.joint_set)
        assert joints.root is not None  # all sets of the rules have one
        self.rules, self.root = rules, joints.index(joints.root)
        self.evaluated = [joints.index(name) for name in rules.evaluated]
        self.regressor = torch.as_tensor(_regressor(rules, body), dtype=torch.float32, device=device)  # [J, V]
        self.skeleton = body.J_regressor.to(device)  # [K, V], its first row the root

    def check(self, vertices: Tensor) -> None:
        """Raise InputError unless a network's vertices [B, V, 3] are those of the protocol's body."""
        if vertices.shape[1] != self.regressor.shape[1]:
            raise InputError(
                f"the weights predict {vertices.shape[1]} vertices, this protocol compares the "
                f"{self.regressor.shape[1]} of {self.rules.body}; give weights of that mesh"
            )

    def joints(self, vertices: Tensor) -> Tensor:
        """All joints [B, J, 3] of the protocol's set off a mesh [B, V, 3]."""
        return self.regressor @ vertices

    def evaluated_joints(self, joints: Tensor) -> Tensor:
        """Those that count, relative to the root: [B, J, 3] to [B, J', 3]."""
        return (joints - joints[:, self.root, None])[:, self.evaluated]

    def of_bodies(self, vertices: Tensor, true_vertices: Tensor, measured: Tensor | None) -> dict[str, Tensor]:
        """Errors [B] m. Shapes: vertices [B, V, 3]; `measured` [B, J, 3] the dataset's own joints, where they count."""
        joints = self.joints(vertices)
        true_joints = self.joints(true_vertices) if measured is None else measured
        bones, true_bones = self.skeleton @ vertices, self.skeleton @ true_vertices  # [B, K, 3]
        roots = joints[:, self.root], self.joints(true_vertices)[:, self.root]
        if self.rules.mesh_root == "skeleton":
            roots = bones[:, 0], true_bones[:, 0]
        evaluated, true_evaluated = self.evaluated_joints(joints), self.evaluated_joints(true_joints)
        return {
            "pa_mpjpe": pa_mpjpe(evaluated, true_evaluated),
            "mpjpe": mpjpe(evaluated, true_evaluated),
            "pa_mpvpe": pa_mpvpe(vertices, true_vertices),
            "mpvpe": mpvpe(vertices - roots[0][:, None], true_vertices - roots[1][:, None]),
            "smpl_mpjpe": mpjpe(bones - bones[:, :1], true_bones - true_bones[:, :1]),
        }

    def of_hands(self, vertices: Tensor, true_vertices: Tensor, true_joints: Tensor) -> dict[str, Tensor]:
        """FreiHAND's measures [B], and both mean distances from the wrist on, in metres."""
        joints = self.joints(vertices)
        wrist, true_wrist = joints[:, self.root, None], true_joints[:, self.root, None]
        return {
            **hand_errors(joints, vertices, true_joints, true_vertices),
            "mpjpe": mpjpe(joints - wrist, true_joints - true_wrist),
            "mpvpe": mpvpe(vertices - wrist, true_vertices - true_wrist),
        }


def _regressor(rules: Rules, body: LicensedBody) -> np.ndarray:
    """Weights [J, V] of the joints, with the protocol's own fingertips."""
    rows = np.array(body.joint_regressor(rules.joint_set))
    for name, vertex in rules.fingertips:
        rows[joint_set(rules.joint_set).index(name)] = np.eye(1, rows.shape[1], vertex)[0]
    return rows
