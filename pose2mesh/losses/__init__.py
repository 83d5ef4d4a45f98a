"""The losses of Pose2Mesh, in metres, each a mean over what is valid."""

from pose2mesh.losses.coordinates import mean_absolute
from pose2mesh.losses.surface import edge_loss, normal_loss

__all__ = ["edge_loss", "mean_absolute", "normal_loss"]
