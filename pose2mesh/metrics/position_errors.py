"""Mean distances between predicted and true points, one value per sample, in metres.

The plain errors compare as given: root-relative points in, root-relative error out. The PA errors first move
the prediction by the best similarity (Procrustes).
"""

from torch import Tensor

from pose2mesh.geometry.procrustes import similarity_align


def mpjpe(pred: Tensor, target: Tensor) -> Tensor:
    """Mean per-joint position error. Shapes: pred and target [B, J, 3] m; returns [B] m."""
    return _mean_distance(pred, target)


def pa_mpjpe(pred: Tensor, target: Tensor) -> Tensor:
    """`mpjpe` after the best similarity. Shapes: pred and target [B, J, 3] m; returns [B] m."""
    return _mean_distance(similarity_align(pred, target), target)


def mpvpe(pred: Tensor, target: Tensor) -> Tensor:
    """Mean per-vertex position error. Shapes: pred and target [B, V, 3] m; returns [B] m."""
    return _mean_distance(pred, target)


def pa_mpvpe(pred: Tensor, target: Tensor) -> Tensor:
    """`mpvpe` after the best similarity. Shapes: pred and target [B, V, 3] m; returns [B] m."""
    return _mean_distance(similarity_align(pred, target), target)


def _mean_distance(pred: Tensor, target: Tensor) -> Tensor:
    return (pred - target).norm(dim=-1).mean(-1)
