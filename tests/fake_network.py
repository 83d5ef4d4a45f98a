"""A network whose answer is known in closed form: the keypoints on a plane, scaled to a body of 1.7 m."""

import numpy as np
import torch
from torch import Tensor

from pose2mesh.networks.prediction import MeshPrediction
from pose2mesh.skeletons import joint_set

HEIGHT = 1.7  # metres that the visible keypoints' longer extent becomes


class FlatNetwork:
    """Joints are the keypoints laid flat, vertices are the joints and their copies 10 cm behind."""

    def __init__(self, name: str = "coco17") -> None:
        self.joint_set = name
        self.output_joint_names = joint_set(name).joints
        count = len(self.output_joint_names)
        triangle = np.arange(count - 2)[:, None]
        self.faces = (triangle + np.array([[0, 1, 2]])).astype(np.int32)  # [F, 3]
        self.batch_sizes: list[int] = []

    def __call__(self, keypoints: Tensor) -> MeshPrediction:
        self.batch_sizes.append(len(keypoints))
        points, seen = keypoints[..., :2], keypoints[..., 2:] > 0  # [B, J, 2], [B, J, 1]
        low = torch.where(seen, points, torch.inf).amin(1, keepdim=True)  # [B, 1, 2]
        high = torch.where(seen, points, -torch.inf).amax(1, keepdim=True)
        scale = HEIGHT / (high - low).amax(-1, keepdim=True)
        flat = torch.where(seen, (points - (low + high) / 2) * scale, 0)  # [B, J, 2]
        joints = torch.nn.functional.pad(flat, (0, 1))  # [B, J, 3]
        return MeshPrediction(torch.cat([joints, joints + torch.tensor([0, 0, 0.1])], 1), joints)
