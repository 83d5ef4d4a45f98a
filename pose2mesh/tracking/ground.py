"""The ground that feet stand on, and the world whose height is counted from it."""

from collections import deque

import numpy as np

FEWEST_POINTS = 8
_TILT = 0.12  # standard deviation of the slope, seen from a camera that is held about level
_LEAN = 0.06  # the same, seen from people on their feet: recorded people lean by 0.055 on average over 4 s
_UPRIGHT = np.cos(np.radians(20))  # between legs and trunk: people who sit or bend do not tell where up is
# Cameras look down by less, roll or look up by less: people who seem to stand before another one lie.
_DOWN, _ASIDE = np.cos(np.radians(75)), np.sin(np.radians(40))
_LIFTED = 0.1  # metres above the other at which a foot counts half
_CELL = 0.25  # metres: a foot that stands there for long is one observation, not many
_DEVIATION = 0.03  # metres of a standing sole from the ground
_ROUNDS, _ROUNDS_OF_FEET = 10, 3
_OBSERVATIONS, _APART = 100, 0.1  # frames that live up is told by, and the seconds between them
_TURNS = 1.0  # seconds in which live up follows what they tell, so that nobody is seen to tip
LEVEL = np.array([0.0, -1.0, 0.0])  # up, in the axes of a camera that is held level


def upright(necks: np.ndarray, soles: np.ndarray) -> np.ndarray | None:
    """Up [3] in camera axes, which people on their feet are on average; None where too few are or all lie.

    It points from the feet that carry them to the neck: recorded people balance so, with whatever trunk.

    Shapes: necks [N, 3] and soles [N, 2, P, 3] from the pelvis, camera axes.
    """
    between = soles.mean((1, 2))  # [N, 3]
    is_straight = -(_unit(between) * _unit(necks)).sum(-1) > _UPRIGHT
    if is_straight.sum() < FEWEST_POINTS:
        return None
    necks, soles, between = necks[is_straight], soles[is_straight], between[is_straight]
    for _ in range(_ROUNDS_OF_FEET):
        low = np.einsum("nfpc,nc->nfp", soles, _unit(necks - between)).min(-1)  # [n, 2]
        loads = 1 / (1 + ((low - low.min(1, keepdims=True)) / _LIFTED) ** 4)
        between = np.einsum("nf,nfc->nc", loads, soles.mean(2)) / loads.sum(1, keepdims=True)
    up = _unit(np.median(_unit(necks - between), 0))
    return up if up @ LEVEL > _DOWN and np.hypot(up[0], max(up[2], 0.0)) < _ASIDE else None


class LiveUp:
    """Up [3] in camera axes as frames come: as a camera held level sees it, until somebody has been on the feet."""

    def __init__(self) -> None:
        self._up, self._time, self._told = LEVEL, -np.inf, LEVEL
        self._seen: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=_OBSERVATIONS)

    def __call__(self, neck: np.ndarray, soles: np.ndarray, time: float) -> np.ndarray:
        """Of one frame at `time` s, which ascends: neck [3] and soles [2, P, 3] from the pelvis, camera axes."""
        if time - self._time >= _APART:
            if self._seen:
                self._up = _unit(self._up + (1 - np.exp((self._time - time) / _TURNS)) * (self._told - self._up))
            self._seen.append((neck, soles))
            self._time, told = time, upright(*(np.stack(column) for column in zip(*self._seen, strict=True)))
            self._told = self._told if told is None else told
        return self._up


def ground_plane(points: np.ndarray, up: np.ndarray | None = None) -> np.ndarray | None:
    """Plane through most of the points [n, 3] in camera axes: its normal up, then the camera's height; None for few.

    A ridge keeps it across `up` [3], which `upright` tells (None: as a camera held level sees it), where the points do
    not tell; points off the plane (a foot on a stair, a wrong contact) lose weight (Geman and McClure 1987).
    """
    if len(points) < FEWEST_POINTS:
        return None
    axes = world_axes(LEVEL if up is None else up)
    points = points @ axes.T
    _, cell = np.unique(np.floor(points[:, [0, 2]] / _CELL), axis=0, return_inverse=True)
    points = np.stack([np.median(points[cell.ravel() == i], 0) for i in range(cell.max() + 1)])  # [m, 3]
    system = np.column_stack([np.ones(len(points)), points[:, 0], points[:, 2] - points[:, 2].mean()])  # [m, 3]
    ridge = np.diag([0.0, 1.0, 1.0]) / (_TILT if up is None else _LEAN) ** 2
    weights, (a, b, c) = np.ones(len(points)), np.zeros(3)
    for round_ in range(_ROUNDS):
        weighted = system * (weights / _DEVIATION**2)[:, None]
        a, b, c = np.linalg.solve(weighted.T @ system + ridge, weighted.T @ points[:, 1])
        error = points[:, 1] - system @ [a, b, c]
        scale = max(3 * _DEVIATION, 1.5 * np.median(np.abs(error)) * (_ROUNDS - round_) / _ROUNDS)
        weights = 1 / (1 + (error / scale) ** 2) ** 2
    normal = np.array([-b, 1.0, -c])  # of y = a + b x + c z
    return np.append(normal @ axes, c * points[:, 2].mean() - a) / np.linalg.norm(normal)


def world_from_camera(plane: np.ndarray) -> np.ndarray:
    """Transform [4, 4] to a world with y up and the ground at zero; the camera is above its origin, x to the right.

    `plane` [4] as `ground_plane` gives it.
    """
    transform = np.eye(4)
    transform[:3, :3] = world_axes(plane[:3])
    transform[1, 3] = plane[3]
    return transform


def world_axes(up: np.ndarray) -> np.ndarray:
    """Rows [3, 3]: the camera's right made level, up, and towards the camera."""
    right = _unit(np.array([1.0, 0.0, 0.0]) - up[0] * up)
    return np.stack([right, up, np.cross(right, up)])


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
