"""The camera's position in closed form for batches, differentiable: what re-projection losses are made with.

`fitting.camera` is the robust one for results; this one is a single linear system, so gradients are exact and cheap.
"""

import torch
from torch import Tensor

NEAREST = 0.3  # metres: no joint comes closer to the camera
_FARTHEST = 100.0  # metres
TYPICAL_FILL = 0.6  # part of the picture's side that people fill, when the picture is unknown
_LEAST_SPREAD = 1e-8  # squared focal lengths; below it the points say nothing about the distance


def place_bodies(joints: Tensor, rays: Tensor, weights: Tensor) -> Tensor:
    """Translations t [B,3] m that bring joints + t onto their rays, least squares in the weights.

    (X + tx) = r_x (Z + tz), likewise for y. For given tz the best tx, ty are weighted means, so one division is left:
    tz = -sum w (r - mean r)·(c - mean c) / sum w |r - mean r|², with c = r Z - (X, Y).

    Shapes: joints [B,J,3] m, camera axes; rays [B,J,2], pixels from the principal point over the focal length;
    weights [B,J], 0 leaves a joint out.
    """
    share = (weights / weights.sum(1, keepdim=True).clamp(min=1e-6))[..., None]  # [B, J, 1]
    excess = rays * joints[..., 2:] - joints[..., :2]  # [B, J, 2]
    ray_mean, excess_mean = ((share * x).sum(1, keepdim=True) for x in (rays, excess))  # [B, 1, 2]
    ray_offset = rays - ray_mean
    spread = (share * ray_offset.square()).sum((1, 2))  # [B]
    depth = -(share * ray_offset * (excess - excess_mean)).sum((1, 2)) / spread.clamp(min=_LEAST_SPREAD)
    nearest = NEAREST - joints[..., 2].amin(1)  # [B]
    depth = torch.minimum(torch.maximum(depth, nearest), nearest + _FARTHEST)
    shift = excess_mean[:, 0] + ray_mean[:, 0] * depth[:, None]  # [B, 2]
    return torch.cat([shift, depth[:, None]], 1)


def project_rays(joints: Tensor, translation: Tensor) -> Tensor:
    """Placed joints in the picture, in focal lengths: [B,J,3], [B,3] to [B,J,2]."""
    placed = joints + translation[:, None]
    return placed[..., :2] / placed[..., 2:].clamp(min=NEAREST / 2)


def reprojection_errors(joints: Tensor, rays: Tensor, weights: Tensor) -> Tensor:
    """Distances [B,J] of re-projected joints from their rays, over the size of the person in the picture.

    The size is the weighted root-mean-square distance of the rays from their mean, about a third of the height of a
    standing person. Gradients flow through the camera too. Shapes as in `place_bodies`.
    """
    projected = project_rays(joints, place_bodies(joints, rays, weights))
    return (projected - rays).square().sum(-1).add(1e-12).sqrt() / person_size(rays, weights)[:, None]


def person_size(rays: Tensor, weights: Tensor) -> Tensor:
    """Weighted root-mean-square distance [B] of rays [B,J,2] from their mean."""
    share = (weights / weights.sum(1, keepdim=True).clamp(min=1e-6))[..., None]
    offset = rays - (share * rays).sum(1, keepdim=True)
    return (share * offset.square()).sum((1, 2)).clamp(min=_LEAST_SPREAD).sqrt()


def guess_intrinsics(points: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Focal lengths [...] and principal points [..., 2] of unknown pictures, in pixels.

    The visible joints fill `TYPICAL_FILL` of a square picture around them, whose diagonal is the focal length (as that
    of a picture of known size is, `default_focal`).

    Shapes: points [..., J, 2] px; seen bool [..., J].
    """
    low = torch.where(seen[..., None], points, torch.inf).amin(-2)  # [..., 2]
    high = torch.where(seen[..., None], points, -torch.inf).amax(-2)
    side = (high - low).amax(-1).clamp(min=1.0) / TYPICAL_FILL  # [...]
    return 2**0.5 * side, (low + high) / 2


def guess_rays(keypoints: Tensor) -> Tensor:
    """Rays [B,J,2] of people [B,J,3] (pixels, confidence) in unknown pictures, each by itself; 0 where missing."""
    points, seen = keypoints[..., :2], keypoints[..., 2] > 0
    focal, center = guess_intrinsics(points, seen)  # [B], [B, 2]
    return torch.where(seen[..., None], (points - center[:, None]) / focal[:, None, None], 0.0)
