"""Skinning weights with four or eight bones a vertex, as game engines and glTF take them.

Anny has up to nine. Eight of them are the heaviest, scaled to one. Four are not enough for that around shoulders and
neck, so there they were fitted to where the full weights put the vertex over recorded poses
(`rig_fit.py`, `tools/assets/baking_rig.py`).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from pose2mesh import paths
from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.errors import FormatError, InputError
from pose2mesh.npz import read_arrays

ASSET = "body_models/anny_rig.npz"
COUNTS = (4, 8)
_REMEDY = "restore it or run `python -m tools.assets.build --rig mocap2_train.npz`"


class SkinWeights(NamedTuple):
    """N bones and their weights for each vertex; weights are not negative and sum to one."""

    bones: np.ndarray  # [V, N] int64; where the weight is 0 the bone means nothing
    weights: np.ndarray  # [V, N] float64

    def dense(self, bones: int) -> np.ndarray:
        """As a matrix [V, K] over all bones."""
        matrix = np.zeros((len(self.bones), bones))
        np.put_along_axis(matrix, self.bones, self.weights, 1)
        return matrix


def heaviest(weights: np.ndarray, count: int) -> SkinWeights:
    """The `count` heaviest bones of each row of weights [V, K], scaled to one, heaviest first."""
    bones = np.argsort(-weights, axis=1, kind="stable")[:, :count]
    kept = np.take_along_axis(weights, bones, 1).astype(np.float64)
    return SkinWeights(bones, kept / kept.sum(1, keepdims=True))


def load_skin_weights(body: AnnyBody, count: int = 4, path: str | Path | None = None) -> SkinWeights:
    """Weights of the body with `count` bones a vertex. Raises InputError, MissingFileError, FormatError."""
    if count not in COUNTS:
        raise InputError(f"{count} weights a vertex; rigs have {' or '.join(map(str, COUNTS))}")
    full = body.weights.numpy()  # [V, K]
    bones, weights = heaviest(full, count)
    if count == 4:
        path = Path(path) if path else paths.asset(ASSET)
        fitted = read_arrays(path, ("vertices", "bones", "weights"), remedy=_REMEDY)
        _check(fitted, full.shape, path)
        bones[fitted["vertices"]] = fitted["bones"]
        weights[fitted["vertices"]] = fitted["weights"]
    return SkinWeights(bones, weights / weights.sum(1, keepdims=True))


def _check(fitted: dict[str, np.ndarray], shape: tuple[int, ...], path: Path) -> None:
    rows = len(fitted["vertices"])
    fits = fitted["bones"].shape == fitted["weights"].shape == (rows, 4)
    if not fits or fitted["vertices"].max() >= shape[0] or fitted["bones"].max() >= shape[1]:
        raise FormatError(f"{path} is not of this body; {_REMEDY}")
    if not (fitted["weights"] >= 0).all() or not np.allclose(fitted["weights"].sum(1, dtype=np.float64), 1, atol=0.01):
        raise FormatError(f"{path}: weights are negative or do not sum to one; {_REMEDY}")
