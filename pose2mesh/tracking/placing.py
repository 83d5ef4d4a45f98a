"""Where somebody is before the camera over time: smooth, where the keypoints say, and without sliding feet.

The places t [T, 3] of one person are one least-squares problem, solved by Gauss and Newton's method: re-projection
errors of the joints (Huber-weighted), second differences of t, which are accelerations, and the velocity of a foot that
stands, weighed by how sure that is. A frame tells depth badly, the other axes well; accelerations settle the rest.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, identity, kron, vstack
from scipy.sparse.linalg import spsolve

from pose2mesh.fitting.camera import NEAREST, fit_perspective
from pose2mesh.tracking.ground import LEVEL
from pose2mesh.tracking.smoothing import runs_without_gap
from pose2mesh.types import Camera

ROUNDS = 5
_POINT_SHARE = 0.02  # standard deviation of a keypoint, of the person's box
_HUBER = 2.0  # standard deviations
_ACCELERATION = 3.0  # m/s², of a pelvis that walks: less drags feet along, more lets the angles' jitter through
_FOOT_SPEED = 0.03  # m/s, of a foot that stands
_STANDING_SPEED = 0.35  # m/s at which a foot is as likely to stand as not
_STANDING_HEIGHT = 0.08  # metres that a standing foot may be above the other


class Path(NamedTuple):
    """One person's places and whose feet stand."""

    translation: np.ndarray  # [T, 3] metres
    contacts: np.ndarray  # [T, 2] bool


def place(
    joints: np.ndarray,
    keypoints: np.ndarray,
    soles: np.ndarray | None,
    times: np.ndarray,
    camera: Camera,
    up: np.ndarray | None = None,
) -> Path:
    """Place one person, of whom a joint is seen at some time; where gaps enclose none, by interpolation.

    Shapes: joints [T, J, 3] m, root-relative in camera axes; keypoints [T, J, 3] pixels and confidence; soles
    [T, 2, P, 3] m like the joints (None: no feet are looked at); times [T] s; up [3] in camera axes (None: that of a
    camera held level).
    """
    parts = [
        _place_run(
            joints[run],
            keypoints[run],
            None if soles is None else soles[run],
            times[run],
            camera,
            LEVEL if up is None else up,
        )
        for run in runs_without_gap(times)
    ]
    translation, contacts = (np.concatenate(column) for column in zip(*parts, strict=True))
    known = np.isfinite(translation[:, 0])
    nearest = np.stack([np.interp(times, times[known], axis[known]) for axis in translation.T], -1)  # [T, 3]
    return Path(np.where(known[:, None], translation, nearest), contacts)


def _place_run(
    joints: np.ndarray,
    keypoints: np.ndarray,
    soles: np.ndarray | None,
    times: np.ndarray,
    camera: Camera,
    up: np.ndarray,
) -> Path:
    rays = (keypoints[..., :2] - np.asarray(camera.center)) / camera.focal  # [T, J, 2]
    seen = keypoints[..., 2]  # [T, J]
    frames = np.flatnonzero((seen > 0).any(1))
    if not len(frames):
        return Path(np.full((len(times), 3), np.nan), np.zeros((len(times), 2), bool))
    guesses = fit_perspective(joints[frames], keypoints[frames, :, :2], seen[frames], camera.focal, camera.center)
    translation = np.stack([np.interp(times, times[frames], axis) for axis in guesses.T], -1)  # [T, 3]
    deviation = _POINT_SHARE * _box_sides(rays, seen)  # [T]
    smoothness = _second_differences(times) / _ACCELERATION
    standing = np.zeros((len(times), 2))
    for round_ in range(ROUNDS):
        rows, targets = [smoothness], [np.zeros(smoothness.shape[0])]
        jacobian, error = _reprojection(joints, rays, seen, deviation, translation)
        rows.append(jacobian)
        targets.append(error + jacobian @ translation.ravel())
        if soles is not None and round_ and len(times) > 1:
            standing = _standing(translation[:, None, None] + soles, times, up)
            velocity, wanted = _foot_velocity(soles, standing, times)
            rows.append(velocity)
            targets.append(wanted)
        system, right = csr_matrix(vstack(rows)), np.concatenate(targets)
        normal = system.T @ system + 1e-9 * _identity(3 * len(times))
        found = np.asarray(spsolve(normal.tocsc(), system.T @ right)).reshape(-1, 3)
        found[:, 2] = np.maximum(found[:, 2], NEAREST - joints[..., 2].min(1))
        translation = found
    return Path(translation, standing > 0.5)


def _box_sides(rays: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Longer side [T] of the box of the seen rays [T, J, 2]; frames without any have the median."""
    low, high = (np.where(seen[..., None] > 0, rays, edge) for edge in (np.inf, -np.inf))
    sides = (high.max(1) - low.min(1)).max(1)  # [T], minus infinity where nothing is seen
    known = np.isfinite(sides)
    return np.maximum(np.where(known, sides, np.median(sides[known])), 1e-6)


def _reprojection(joints, rays, seen, deviation, translation) -> tuple[Any, np.ndarray]:
    """Rows of the linearized re-projection error by t, and the error, both in standard deviations."""
    placed = joints + translation[:, None]  # [T, J, 3]
    depth = np.maximum(placed[..., 2], NEAREST)
    error = (rays - placed[..., :2] / depth[..., None]) / deviation[:, None, None]  # [T, J, 2]
    size = np.linalg.norm(error, axis=-1)  # [T, J]
    weight = np.sqrt(seen * np.minimum(1, _HUBER / np.maximum(size, _HUBER)))[..., None]  # [T, J, 1]
    count, width = seen.shape
    slope = np.zeros((count, width, 2, 3))
    slope[..., 0, 0] = slope[..., 1, 1] = 1 / depth
    slope[..., 2] = -placed[..., :2] / depth[..., None] ** 2
    slope = slope / deviation[:, None, None, None] * weight[..., None]
    columns = np.broadcast_to(3 * np.arange(count)[:, None, None, None] + np.arange(3), slope.shape)
    rows = np.broadcast_to(np.arange(2 * count * width).reshape(count, width, 2, 1), slope.shape)
    shape = (2 * count * width, 3 * count)
    return csr_matrix((slope.ravel(), (rows.ravel(), columns.ravel())), shape), (error * weight).ravel()


def _second_differences(times: np.ndarray) -> Any:
    """Accelerations of t: rows for every inner frame and axis, scaled so that the frame rate does not matter."""
    count = len(times)
    if count < 3:
        return csr_matrix((0, 3 * count))
    before, after = np.diff(times)[:-1], np.diff(times)[1:]
    scale = np.sqrt((before + after) / 2 * 30.0)
    weights = 2 * np.stack([1 / before, -1 / before - 1 / after, 1 / after]) / (before + after) * scale  # [3, T - 2]
    inner = np.arange(count - 2)
    small = coo_matrix(
        (weights.ravel(), (np.tile(inner, 3), np.concatenate([inner, inner + 1, inner + 2]))), (count - 2, count)
    )
    return _each_axis(csr_matrix(small))


def _foot_velocity(soles: np.ndarray, standing: np.ndarray, times: np.ndarray) -> tuple[Any, np.ndarray]:
    """Rows that hold the points of a standing foot where they are from one frame to the next."""
    middle = soles.mean(2)  # [T, 2, 3]
    count = len(times)
    weights = np.sqrt(np.minimum(standing[1:], standing[:-1])) / np.diff(times)[:, None] / _FOOT_SPEED  # [T - 1, 2]
    steps = np.arange(count - 1)
    rows, targets = [], []
    for foot in range(2):
        values = np.concatenate([weights[:, foot], -weights[:, foot]])
        small = coo_matrix((values, (np.tile(steps, 2), np.concatenate([steps + 1, steps]))), (count - 1, count))
        rows.append(_each_axis(csr_matrix(small)))
        targets.append((-np.diff(middle[:, foot], axis=0) * weights[:, foot, None]).ravel())
    return csr_matrix(vstack(rows)), np.concatenate(targets)


def _standing(places: np.ndarray, times: np.ndarray, up: np.ndarray) -> np.ndarray:
    """How sure each foot stands [T, 2]: slow, and not above the other; places [T, 2, P, 3], up [3] in camera axes."""
    middle = places.mean(2)  # [T, 2, 3]
    speed = np.linalg.norm(np.gradient(middle, times, axis=0), axis=-1)  # [T, 2]
    lowest = (places @ up).min(-1)  # [T, 2]
    above = lowest - lowest.min(1, keepdims=True)
    return 1 / (1 + (speed / _STANDING_SPEED) ** 4) / (1 + (above / _STANDING_HEIGHT) ** 4)


def _each_axis(small: Any) -> Any:
    """Rows over T values as rows over T x 3, one for each axis."""
    return csr_matrix(kron(small, _identity(3)))


def _identity(size: int) -> Any:
    return csr_matrix(identity(size))
