"""Errors per sample in metres, and their means over samples in millimetres."""

from pose2mesh.metrics.acceleration import acceleration_error
from pose2mesh.metrics.accumulator import MetricAccumulator
from pose2mesh.metrics.correct_points import auc, f_score
from pose2mesh.metrics.hand_errors import hand_errors
from pose2mesh.metrics.knee_flexion import knee_flexion
from pose2mesh.metrics.position_errors import mpjpe, mpvpe, pa_mpjpe, pa_mpvpe

__all__ = [
    "MetricAccumulator",
    "acceleration_error",
    "auc",
    "f_score",
    "hand_errors",
    "knee_flexion",
    "mpjpe",
    "mpvpe",
    "pa_mpjpe",
    "pa_mpvpe",
]
