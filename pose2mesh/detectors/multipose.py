"""People in the maps of MoveNet Multipose: what its authors do at the end of their graph, for likely people alone.

In the graph, for 20 people and every cell, it took as long as all layers before it.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pose2mesh.detectors.similarity import SCORE_ROW
from pose2mesh.skeletons import COCO17

CELL = 4  # px of the network's input
PEOPLE = 20  # at most; the authors ask for 6
AROUND = 5  # cells, side of the square in which a center is the highest
SPREAD = 0.3  # of the shorter side, cells: two variances of a joint around the end of its center's way
COUNTED = 0.127  # score from which a joint counts in its person's
_JOINTS = np.arange(len(COCO17))


def people_in(maps: list[np.ndarray], least: float) -> np.ndarray:
    """Poses [P, 18, 3] in px of the network's input, of centers of a score of `least` or more, best center first.

    `maps` [1, H, W, C] are centers (C = 1), heat of the joints (17), the ways from a center to its joints (34) and what
    is left of joints beside their cells (34) as y and x, height and width of people (2), and how far off their center
    these lie (2).
    """
    centers, heat, ways, rests, boxes, shifts = (values[0] for values in maps)
    centers, size = centers[..., 0], heat.shape[:2]
    is_peak = _highest_around(centers) - centers < 1e-6
    best = np.argsort(-np.where(is_peak, centers, 0).ravel(), kind="stable")[:PEOPLE]
    cells = np.stack(np.unravel_index(best, size), -1)  # [N, 2] y, x
    y, x = cells.T
    ends = cells[:, None] + ways[y, x].reshape(-1, len(_JOINTS), 2)  # [N, 17, 2]
    half = np.maximum(boxes[y, x], 0) / 2
    low, high = cells + shifts[y, x] - half, cells + shifts[y, x] + half  # [N, 2]
    count = int((centers[y, x] >= least).sum())
    poses = np.zeros((count, len(_JOINTS) + 1, 3), np.float32)
    planes = np.ascontiguousarray(heat.transpose(2, 0, 1))  # [17, H, W]
    for i, pose in enumerate(poses):
        (rows, columns) = (
            _bell(np.arange(side, dtype=np.float32), ends[i, :, axis, None], min(size))
            * ((np.arange(side) >= low[i, axis]) & (np.arange(side) < high[i, axis]))
            for axis, side in enumerate(size)
        )  # [17, H], [17, W]
        likely = planes * rows.astype(np.float32)[:, :, None] * columns.astype(np.float32)[:, None, :]
        places = np.stack(np.unravel_index(likely.reshape(len(_JOINTS), -1).argmax(-1), size), -1)  # [17, 2]
        is_in = ((places >= low[:, None]) & (places < high[:, None])).all(-1)  # [N, 17]
        claims = _bell(places, ends, min(size)).prod(-1) * is_in  # of all who may want the joint
        scores = planes[_JOINTS, *places.T] * claims.max(0)
        rest = rests[places[:, 0], places[:, 1]].reshape(len(_JOINTS), -1, 2)[_JOINTS, _JOINTS]
        pose[_JOINTS] = np.column_stack([CELL * (places + rest)[:, ::-1], scores])
        counted = scores[scores > COUNTED]
        pose[SCORE_ROW, 2] = centers[y[i], x[i]] * counted.sum() / max(len(counted), 1)
    return poses


def _highest_around(values: np.ndarray) -> np.ndarray:
    """The highest of the `AROUND` x `AROUND` values [H, W] around each, and of 0 at the edges.

    As SciPy's maximum_filter, without the 0.2 s that its import takes.
    """
    for axis in (0, 1):
        beyond = [(AROUND // 2, AROUND // 2) if axis == i else (0, 0) for i in (0, 1)]
        values = sliding_window_view(np.pad(values, beyond), AROUND, axis).max(-1)
    return values


def _bell(cells: np.ndarray, ends: np.ndarray, shorter: int) -> np.ndarray:
    return np.exp(-np.square(cells - ends) / (SPREAD * shorter))
