"""The ground that feet stand on, and the world whose height is counted from it."""

import numpy as np

FEWEST_POINTS = 8
_TILT = 0.12  # standard deviation of the slope, seen from a camera that is held about level
_CELL = 0.25  # metres: a foot that stands there for long is one observation, not many
_DEVIATION = 0.03  # metres of a standing sole from the ground
_ROUNDS = 10


def ground_plane(points: np.ndarray) -> np.ndarray | None:
    """Plane y = a + b x + c z, [3], through most of the points [n, 3] in camera axes (y down); None for too few.

    A ridge keeps the slope at what a camera held about level sees where the points do not tell; points off the plane
    (a foot on a stair, a wrong contact) lose weight (Geman and McClure 1987).
    """
    if len(points) < FEWEST_POINTS:
        return None
    _, cell = np.unique(np.floor(points[:, [0, 2]] / _CELL), axis=0, return_inverse=True)
    points = np.stack([np.median(points[cell.ravel() == i], 0) for i in range(cell.max() + 1)])  # [m, 3]
    system = np.column_stack([np.ones(len(points)), points[:, 0], points[:, 2] - points[:, 2].mean()])  # [n, 3]
    ridge = np.diag([0.0, 1.0, 1.0]) / _TILT**2
    weights = np.ones(len(points))
    for round_ in range(_ROUNDS):
        weighted = system * (weights / _DEVIATION**2)[:, None]
        a, b, c = np.linalg.solve(weighted.T @ system + ridge, weighted.T @ points[:, 1])
        error = points[:, 1] - system @ [a, b, c]
        scale = max(3 * _DEVIATION, 1.5 * np.median(np.abs(error)) * (_ROUNDS - round_) / _ROUNDS)
        weights = 1 / (1 + (error / scale) ** 2) ** 2
    return np.array([a - c * points[:, 2].mean(), b, c])


def world_from_camera(plane: np.ndarray) -> np.ndarray:
    """Transform [4, 4] to a world with y up and the ground at zero; the camera is above its origin, x to the right.

    `plane` [3] as `ground_plane` gives it.
    """
    height, along_x, along_z = plane
    up = np.array([along_x, -1.0, along_z])  # the normal of y - a - b x - c z = 0 that points up
    length = np.linalg.norm(up)
    up = up / length
    right = np.array([1.0, 0.0, 0.0]) - up[0] * up
    right /= np.linalg.norm(right)
    transform = np.eye(4)
    transform[:3, :3] = np.stack([right, up, np.cross(right, up)])
    transform[1, 3] = height / length
    return transform
