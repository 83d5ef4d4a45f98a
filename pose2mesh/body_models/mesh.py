"""Somebody's own mesh without a body model: what its vertices were, frame after frame."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from pose2mesh import kinds
from pose2mesh.body_models.joint_regressors import compose_regressor
from pose2mesh.errors import FormatError, InputError
from pose2mesh.npz import read_arrays
from pose2mesh.skeletons import JointSet
from pose2mesh.skeletons import joint_set as find_joint_set

_LARGEST_M = 20.0  # across; anything in millimetres is larger


class MeshBody:
    """A mesh of one topology and the frames that are known of it; metres, y up."""

    kind = kinds.MESH

    def __init__(self, frames: np.ndarray, faces: np.ndarray, regressor: np.ndarray, joint_set: str):
        """Shapes: frames [N,V,3] m; faces [F,3]; regressor [J,V] of the joints of a set. Raises InputError."""
        _refuse(
            {
                f"{name} are {_kind(array)}, not numbers": _kind(array)
                for name, array in (("vertices", frames), ("faces", faces), ("joints", regressor))
            }
        )
        _refuse(
            {
                f"vertices are {list(np.shape(frames))}, not [N, V, 3]": np.ndim(frames) != 3
                or 0 in np.shape(frames)
                or np.shape(frames)[2] != 3,
                f"faces are {list(np.shape(faces))}, not [F, 3]": np.ndim(faces) != 2 or np.shape(faces)[1] != 3,
            }
        )
        joints, count, extent = find_joint_set(joint_set).joints, np.shape(frames)[1], np.ptp(frames, axis=1).max()
        _refuse(
            {
                "vertices are not finite": not np.isfinite(frames).all(),
                f"vertices lie {extent:.0f} m apart; give metres": extent > _LARGEST_M,
                "faces are not whole numbers": (np.round(faces) != faces).any(),
                f"faces name vertices beyond the {count} there are": not ((faces >= 0) & (faces < count)).all(),
                f"joints are {list(np.shape(regressor))}, not {[len(joints), count]} for {joint_set}": (
                    np.shape(regressor) != (len(joints), count)
                ),
                "weights of joints are not finite": not np.isfinite(regressor).all(),
            }
        )
        self.frames = torch.as_tensor(np.asarray(frames, np.float32))  # [N, V, 3]
        self.v_template, self.faces = self.frames[0], torch.as_tensor(np.asarray(faces, np.int64))
        self.rows = dict(zip(joints, np.asarray(regressor, np.float64), strict=True))

    def joint_regressor(self, joint_set: str | JointSet) -> np.ndarray:
        """Weights [J,V] of a joint set, by the names of its joints. Raises InputError where one is not known here."""
        return compose_regressor(joint_set, {}, self.rows)


def _refuse(wrong: dict[str, Any]) -> None:
    """Raise InputError that lists the faults that are so."""
    if faults := [fault for fault, is_so in wrong.items() if is_so]:
        raise InputError(f"mesh: {'; '.join(faults)}")


def _kind(array: Any) -> str:
    """What an array holds in place of numbers; "" where it holds them."""
    return "" if np.asarray(array).dtype.kind in "iuf" else str(np.asarray(array).dtype)


def load_mesh_body(path: str | Path) -> MeshBody:
    """The mesh of an NPZ: `vertices` [N,V,3] m, y up, `faces` [F,3], `joint_set` (a name), and for its joints either
    `joint_vertices` [J] (indices) or `joint_regressor` [J,V].

    Raises MissingFileError, FormatError.
    """
    remedy = (
        "weights look for their mesh where it was in training; copy it there, or write it as docs/extending.md says"
    )
    arrays = read_arrays(Path(path), ("vertices", "faces", "joint_set"), remedy=remedy)
    try:
        regressor = arrays.get("joint_regressor")
        if regressor is None:
            regressor = _one_hot(arrays["joint_vertices"], arrays["vertices"].shape[-2])
        return MeshBody(arrays["vertices"], arrays["faces"], regressor, str(arrays["joint_set"]))
    except (InputError, KeyError, IndexError) as error:
        why = f"lacks {error}" if isinstance(error, KeyError) else error
        raise FormatError(f"{path}: {why}; docs/extending.md says what it holds") from error


def _one_hot(vertices: np.ndarray, count: int) -> np.ndarray:
    """Weights [J, V] of joints that are vertices [J]. Raises InputError."""
    if vertices.ndim != 1 or vertices.dtype.kind not in "iu" or not ((vertices >= 0) & (vertices < count)).all():
        raise InputError(f"joint_vertices are to be whole numbers [J] from 0, below the {count} vertices there are")
    weights = np.zeros((len(vertices), count))
    weights[np.arange(len(vertices)), vertices] = 1
    return weights
