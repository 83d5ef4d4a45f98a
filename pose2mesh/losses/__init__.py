"""The losses of Pose2Mesh, in metres, each a mean over what is valid."""

from pose2mesh.losses.coordinates import joint_loss, lifting_loss, vertex_loss
from pose2mesh.losses.mesh_loss import MeshLoss, MeshLossWeights, MeshTarget, edge_loss, normal_loss

__all__ = [
    "MeshLoss",
    "MeshLossWeights",
    "MeshTarget",
    "edge_loss",
    "joint_loss",
    "lifting_loss",
    "normal_loss",
    "vertex_loss",
]
