"""The colors of what people wear: they tell two who pass each other apart where joints and places do not."""

from dataclasses import replace

import numpy as np

from pose2mesh.skeletons import joint_set
from pose2mesh.types import Keypoints2D

_CORNERS = [f"{side}_{joint}" for joint in ("shoulder", "hip", "knee", "ankle") for side in ("left", "right")]
_SURE = 0.3  # confidence from which a joint's place counts
_LEAST = 0.25  # share of a part's spots that must be in the picture
_OPPONENT = np.array([[1 / 3, 1.5, 0.75], [1 / 3, -1.5, 0.75], [1 / 3, 0.0, -1.5]])  # of R, G, B: light, R - G, Y - B
_SAME, _OTHER = 0.15, 0.15  # distance of colors up to which light and folds explain it; scale of what goes beyond


def _spots() -> tuple[np.ndarray, np.ndarray]:
    """Weights [S, 8] of the corners that make the spots looked at, and of which part each is, [S] in 0..3."""
    rows, parts = [], []
    across, down = np.meshgrid(np.linspace(0.25, 0.75, 5), np.linspace(0.1, 0.9, 8))
    for u, v in zip(across.ravel(), down.ravel(), strict=True):
        rows.append([(1 - v) * (1 - u), (1 - v) * u, v * (1 - u), v * u, 0, 0, 0, 0])
        parts.append(int(v > 0.5))
    for part, upper in ((2, 2), (3, 4)):  # thighs, shins
        for v in np.linspace(0.2, 0.8, 7):
            for side in (0, 1):
                rows.append(np.zeros(8))
                rows[-1][[upper + side, upper + side + 2]] = 1 - v, v
                parts.append(part)
    return np.array(rows), np.array(parts)


_WEIGHTS, _PARTS = _spots()


def with_clothes(keypoints: Keypoints2D, image: np.ndarray) -> Keypoints2D:
    """The same people with the colors that a picture uint8 [H, W, 3] RGB shows of them; hands wear nothing."""
    names = joint_set(keypoints.joint_set).joints
    if not {*_CORNERS} <= {*names}:
        return keypoints
    corners = [names.index(name) for name in _CORNERS]
    points = keypoints.points[:, corners].astype(np.float64)  # [P, 8, 2]
    seen = keypoints.confidence[:, corners] >= _SURE  # [P, 8]
    people = [_colors(image, *person) for person in zip(np.where(seen[..., None], points, 0), seen, strict=True)]
    return replace(keypoints, clothes=np.reshape(people, (len(keypoints), 4, 3)))


def _colors(image: np.ndarray, corners: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Median colors [4, 3] of chest, belly, thighs and shins, NaN where hidden; corners [8, 2] px with mask [8]."""
    places = np.rint(_WEIGHTS @ corners).astype(int)  # [S, 2]
    size = image.shape[1], image.shape[0]
    inside = ~(_WEIGHTS[:, ~seen] > 0).any(1) & ((places >= 0) & (places < size)).all(1)  # [S]
    colors, parts = image[places[inside, 1], places[inside, 0]] / 255, _PARTS[inside]
    medians = np.full((4, 3), np.nan)
    for part in np.flatnonzero(np.bincount(parts, minlength=4) >= _LEAST * np.bincount(_PARTS)):
        medians[part] = np.median(colors[parts == part], 0)
    return medians @ _OPPONENT


def alike(clothes: np.ndarray | None, others: np.ndarray | None) -> float:
    """How well colors [4, 3] go together, in [0, 1]; 1 where nothing is known of either."""
    if clothes is None or others is None:
        return 1.0
    squares = ((clothes - others) ** 2).sum(-1)  # [4]
    known = squares[np.isfinite(squares)]
    return float(np.exp(-max(known.mean() - _SAME**2, 0) / (2 * _OTHER**2))) if len(known) else 1.0


def blended(clothes: np.ndarray | None, new: np.ndarray | None, weight: float) -> np.ndarray | None:
    """Colors [4, 3] moved by `weight` towards new ones, which are taken as they are where none were known."""
    if clothes is None or new is None:
        return new if clothes is None else clothes
    moved = np.where(np.isfinite(clothes), clothes + weight * (new - clothes), new)
    return np.where(np.isfinite(moved), moved, clothes)
