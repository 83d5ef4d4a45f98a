"""How far re-projected joints are from keypoints whose camera is unknown."""

from torch import Tensor

from pose2mesh.geometry.placement import reprojection_errors

_FEWEST = 4  # joints; fewer fix no camera


def reprojection_loss(joints: Tensor, rays: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of `reprojection_errors`, in sizes of the person, over everybody with enough joints.

    Shapes: joints [B,K,3] m, camera axes; rays [B,K,2]; weights [B,K], 0 leaves a joint out.
    """
    errors = reprojection_errors(joints.float(), rays, weights)  # [B, K]
    weights = weights * ((weights > 0).sum(1, keepdim=True) >= _FEWEST)
    return (errors * weights).sum() / weights.sum().clamp(min=1e-6)
