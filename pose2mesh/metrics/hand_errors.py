"""The measures of FreiHAND's evaluation (Zimmermann et al. 2019), one value per sample."""

from torch import Tensor

from pose2mesh.geometry.procrustes import similarity_align
from pose2mesh.metrics.correct_points import auc, f_score
from pose2mesh.metrics.position_errors import mpjpe, mpvpe

F_THRESHOLDS = {"f_at_5": 0.005, "f_at_15": 0.015}  # metres


def hand_errors(joints: Tensor, vertices: Tensor, true_joints: Tensor, true_vertices: Tensor) -> dict[str, Tensor]:
    """Errors after the best similarity, which is found for joints and for vertices apart, as the server does.

    `pa_mpjpe` and `pa_mpvpe` in metres, `f_at_5` and `f_at_15` of the vertices, `auc` of the joints and `auc_vertices`
    up to 50 mm, each [B]. The server's alignment may mirror a hand; this one does not, which matters only to
    predictions that fit their mirror image better.

    Shapes: joints and true_joints [B, J, 3] m; vertices and true_vertices [B, V, 3] m, corresponding row by row.
    """
    joints, vertices = similarity_align(joints, true_joints), similarity_align(vertices, true_vertices)
    return {
        "pa_mpjpe": mpjpe(joints, true_joints),
        "pa_mpvpe": mpvpe(vertices, true_vertices),
        **{name: f_score(vertices, true_vertices, threshold) for name, threshold in F_THRESHOLDS.items()},
        "auc": auc(joints, true_joints),
        "auc_vertices": auc(vertices, true_vertices),
    }
