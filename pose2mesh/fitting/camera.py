"""Cameras in closed form from 3D joints and the 2D keypoints they were lifted from.

The original needs 1500 Adam steps per person for three numbers; here it is one linear system and a few
reweighted Gauss-Newton steps of 3x3.
"""

import numpy as np
import torch

from pose2mesh.geometry.placement import guess_intrinsics
from pose2mesh.geometry.projection import default_focal
from pose2mesh.types import Camera, Intrinsics

NEAREST = 0.1  # metres: no joint may come closer to the camera
FALLBACK_DEPTH = 5.0  # metres, when the keypoints say nothing about the distance
ROBUST_STEPS = 5  # mean depth error, synthetic, 2 of 17 joints far off: 588 mm at 0 steps, 93 at 2, 73 at 5
_LEAST_SPREAD = 1e-12  # squared focal lengths; below it the points say nothing about the distance
HUBER_SIGMAS = 1.345  # 95 % efficient under Gaussian noise (Huber 1964)


def fit_weak_perspective(joints: np.ndarray, points: np.ndarray, confidence: np.ndarray) -> tuple[float, float, float]:
    """Scale s (px/m) and shift (tx, ty) in px that minimize sum_j c_j |s·(X_j, Y_j) + t − p_j|².

    Shapes: joints [J, 3] m; points [J, 2] px; confidence [J]. When the joints do not determine a positive scale (fewer
    than two seen, all at one place) it is the ratio of the extents, or 0 where that is undefined too.
    """
    weights, joint_mean, point_mean = _weighted_means(joints, points, confidence)
    flat = joints[:, :2] - joint_mean[:2]  # [J, 2]
    offset = points - point_mean  # [J, 2]
    spread = (weights[:, None] * flat**2).sum()
    scale = (weights[:, None] * flat * offset).sum() / spread if spread > 1e-12 else 0.0
    if scale <= 0:
        seen = weights > 0
        extent_m, extent_px = np.ptp(joints[seen], axis=0).max(), np.ptp(points[seen], axis=0).max()
        scale = extent_px / extent_m if extent_m > 1e-6 else 0.0
    shift = point_mean - scale * joint_mean[:2]  # [2]
    return float(scale), float(shift[0]), float(shift[1])


def fit_perspective(
    joints: np.ndarray,
    points: np.ndarray,
    confidence: np.ndarray,
    focal: float | np.ndarray,
    center: tuple[float, float] | np.ndarray,
) -> np.ndarray:
    """Translations t [..., 3] in metres for which joints + t project onto the points.

    Starts from the linear system f·(X + tx) = (u − cx)·(Z + tz), likewise for y, weighted by confidence, and
    goes on with Huber-reweighted Gauss-Newton steps on the reprojection error, so that a few swapped or
    missed joints do not pull the body away. Where the joints do not determine a depth in front of the camera
    it comes from the weak-perspective scale.

    Shapes: joints [..., J, 3] m; points [..., J, 2] px; confidence [..., J], at least one joint seen; focal [...] and
    center [..., 2] px, or one for all.
    """
    if joints.ndim == 2:
        return fit_perspective(joints[None], points[None], confidence[None], focal, center)[0]
    joints, weights = joints.astype(np.float64), confidence.astype(np.float64)
    focal, center = np.broadcast_to(focal, len(joints)), np.broadcast_to(center, (len(joints), 2))
    seen = confidence > 0  # [P, J]
    rays = np.where(seen[..., None], (points - center[:, None]) / focal[:, None, None], 0.0)  # [P, J, 2]
    translation, is_found = _linear_translation(joints, rays, weights)
    for i in np.flatnonzero(~is_found):
        shown = seen[i]
        translation[i] = _weak_translation(
            joints[i, shown], points[i, shown].astype(np.float64), weights[i, shown], focal[i], center[i]
        )
    refined = _refine(translation[is_found], joints[is_found], rays[is_found], weights[is_found])
    translation[is_found] = refined
    return translation


def fit_cameras(
    joints: np.ndarray,
    points: np.ndarray,
    confidence: np.ndarray,
    image_size: tuple[int, int] | None = None,
    intrinsics: Intrinsics | None = None,
) -> list[Camera | None]:
    """One camera per person, None where no joint is seen; all share focal length and principal point.

    Shapes: joints [P, J, 3] m; points [P, J, 2] px; confidence [P, J].
    """
    if not (confidence > 0).any():
        return [None] * len(joints)
    focal, center = assume_intrinsics(points.reshape(-1, 2), confidence.reshape(-1), image_size, intrinsics)
    is_seen = np.any(confidence > 0, axis=1)  # [P]
    places = iter(fit_perspective(joints[is_seen], points[is_seen], confidence[is_seen], focal, center))
    return [Camera(focal, center, next(places), image_size) if seen else None for seen in is_seen]


def assume_intrinsics(
    points: np.ndarray,
    confidence: np.ndarray,
    image_size: tuple[int, int] | None = None,
    intrinsics: Intrinsics | None = None,
) -> tuple[float, tuple[float, float]]:
    """Focal length and principal point of a picture, in pixels: what is known, and a guess for the rest.

    Without a focal length it is the picture's diagonal; without the picture's size as `guess_intrinsics` guesses from
    all keypoints, points [J, 2] px with confidence [J].
    """
    if image_size is not None:
        focal, center = default_focal(image_size), (image_size[0] / 2, image_size[1] / 2)
    else:
        guess = guess_intrinsics(torch.tensor(points), torch.tensor(confidence > 0))
        focal, (x, y) = float(guess[0]), guess[1].tolist()
        center = (x, y)
    return (intrinsics.focal, intrinsics.center or center) if intrinsics else (focal, center)


def _weighted_means(
    joints: np.ndarray, points: np.ndarray, confidence: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    weights = confidence / confidence.sum()  # [J]
    return weights, weights @ joints, weights @ points


def _linear_translation(joints: np.ndarray, rays: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Solve tx − r·tz = r·Z − X for both axes: [P, 3], and where that is neither degenerate nor behind the camera.

    Eliminated as in `geometry.placement.place_bodies`: for given tz the best tx, ty are weighted means.
    """
    seen = weights > 0
    share = (weights / weights.sum(1, keepdims=True))[..., None]  # [P, J, 1]
    excess = rays * joints[..., 2:] - joints[..., :2]  # [P, J, 2]
    ray_mean, excess_mean = (share * rays).sum(1), (share * excess).sum(1)  # [P, 2]
    offset = rays - ray_mean[:, None]
    spread = (share * offset**2).sum((1, 2))  # [P]
    is_spread = (seen.sum(1) >= 2) & (spread > _LEAST_SPREAD * (1 + (ray_mean**2).sum(1)))
    depth = -(share * offset * (excess - excess_mean[:, None])).sum((1, 2)) / np.where(is_spread, spread, 1.0)
    nearest = depth + np.where(seen, joints[..., 2], np.inf).min(1)
    translation = np.concatenate([excess_mean + ray_mean * depth[:, None], depth[:, None]], 1)
    return translation, is_spread & (nearest >= NEAREST)


def _weak_translation(
    joints: np.ndarray, points: np.ndarray, weights: np.ndarray, focal: float, center: tuple[float, float]
) -> np.ndarray:
    """Depth from the weak-perspective scale, then the shift that puts the weighted means on one ray."""
    scale, _, _ = fit_weak_perspective(joints, points, weights)
    _, joint_mean, point_mean = _weighted_means(joints, points, weights)
    depth = focal / scale if scale > 0 else FALLBACK_DEPTH  # of the mean joint
    depth = max(depth, NEAREST + joint_mean[2] - joints[:, 2].min())
    ray = (point_mean - np.asarray(center)) / focal  # [2]
    return np.array([*(ray * depth - joint_mean[:2]), depth - joint_mean[2]])


def _refine(translation: np.ndarray, joints: np.ndarray, rays: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Huber-reweighted Gauss-Newton on the reprojection error in units of the focal length, until too near: [P, 3]."""
    seen = weights > 0  # [P, J]
    count = seen.sum(1)
    middle = np.stack([(count - 1) // 2, count // 2], 1)  # [P, 2] of the sorted errors: the median is their mean
    nearest = np.where(seen, joints[..., 2], np.inf).min(1)  # [P]
    is_going = np.ones(len(joints), bool)
    for _ in range(ROBUST_STEPS):
        x, y, z = np.moveaxis(joints + translation[:, None], -1, 0)  # each [P, J]
        z = np.where(seen, z, 1.0)
        error = np.stack([rays[..., 0] - x / z, rays[..., 1] - y / z], -1)  # [P, J, 2]
        size = np.where(seen, np.linalg.norm(error, axis=-1), np.inf)  # [P, J]
        median = np.take_along_axis(np.sort(size, 1), middle, 1).mean(1, keepdims=True)
        limit = HUBER_SIGMAS * 1.4826 * median + 1e-9
        robust = weights * np.minimum(1, limit / np.maximum(size, limit))  # [P, J]
        o = np.zeros_like(z)
        slope = np.stack([1 / z, o, -x / z**2, o, 1 / z, -y / z**2], -1)
        slope = slope.reshape(len(z), 2 * z.shape[1], 3)  # [P, 2J, 3]
        pull = (slope * np.repeat(robust, 2, 1)[..., None]).swapaxes(1, 2)  # [P, 3, 2J]
        normal = pull @ slope
        normal = normal + 1e-14 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(3)
        step = np.linalg.solve(normal, pull @ error.reshape(len(z), 2 * z.shape[1], 1))[..., 0]  # [P, 3]
        is_going = is_going & (nearest + translation[:, 2] + step[:, 2] >= NEAREST)
        translation = np.where(is_going[:, None], translation + step, translation)
    return translation
