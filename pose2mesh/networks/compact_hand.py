"""The compact network for one right hand. Hands turn freely in the picture, so the picture is turned upright first."""

import torch
from torch import Tensor

from pose2mesh.losses.targets import Batch
from pose2mesh.networks.compact import CompactPose2Mesh
from pose2mesh.networks.prediction import MeshPrediction

# Along the hand, for hand21: minus at the wrist and the thumb's root, plus at the knuckles and the middle joints.
_ALONG = (-1.0, -0.5, 0.0, 0.0, 0.0, *(weight for _ in range(4) for weight in (0.5, 0.4, 0.0, 0.0)))


class CompactHand(CompactPose2Mesh):
    """Lifter, mesh head and map to the full mesh, for keypoints turned upright; a mirror image would be a left hand.

    Everything between `upright_turn` and the output is in the turned picture: training turns its samples the same way.
    """

    def forward(self, keypoints: Tensor) -> MeshPrediction:
        """Plain network call: keypoints [B,21,3] (x, y in any unit, confidence) to MeshPrediction in metres."""
        turn = upright_turn(keypoints)
        lifted = self.lifter(turned(keypoints, turn))
        finest = self.mesh_head(lifted.features)[-1].float()
        vertices = self.to_full.matmul(finest)
        back = turn.transpose(-1, -2)
        return MeshPrediction(turned(vertices, back), turned(lifted.joints, back))

    def as_lifted(self, batch: Batch) -> Batch:
        """Picture and target turned together."""
        turn = upright_turn(batch.keypoints)
        parts = {name: turned(getattr(batch, name), turn) for name in ("keypoints", "joints", "vertices")}
        return batch._replace(**parts)


def upright_turn(keypoints: Tensor) -> Tensor:
    """The rotation [B,2,2] in the picture after which the palm points up (y down); identity where that is undefined.

    keypoints [B,21,3] (x, y, confidence; 0 = missing).
    """
    visible = (keypoints[..., 2:] > 0).to(keypoints.dtype)  # [B, 21, 1]
    points = torch.where(visible > 0, keypoints[..., :2], torch.zeros_like(keypoints[..., :2]))
    middle = points.sum(1, keepdim=True) / visible.sum(1, keepdim=True).clamp(min=1)
    weights = keypoints.new_tensor(_ALONG)[:, None] * visible
    along = ((points - middle) * weights).sum(1)  # [B, 2]
    length = along.norm(dim=-1, keepdim=True)
    up = torch.where(length > 1e-6, along / length.clamp(min=1e-6), along.new_tensor([0.0, -1.0]))
    x, y = up.unbind(-1)
    return torch.stack([-y, x, -x, -y], -1).unflatten(-1, (2, 2))  # takes (x, y) to (0, -1)


def turned(points: Tensor, turn: Tensor) -> Tensor:
    """Turn x and y of points [B,N,3] by [B,2,2]; what stands third (depth, confidence) stays."""
    return torch.cat([points[..., :2] @ turn.transpose(-1, -2), points[..., 2:]], -1)
