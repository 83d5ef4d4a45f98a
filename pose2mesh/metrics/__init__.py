"""Errors per sample in metres, and their means over samples in millimetres."""

from pose2mesh.metrics.accumulator import MetricAccumulator
from pose2mesh.metrics.correct_points import auc, f_score, pck_2d
from pose2mesh.metrics.position_errors import mpjpe, mpvpe, pa_mpjpe, pa_mpvpe

__all__ = ["MetricAccumulator", "auc", "f_score", "mpjpe", "mpvpe", "pa_mpjpe", "pa_mpvpe", "pck_2d"]
