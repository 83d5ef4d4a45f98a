"""Somebody's own mesh without a body model: what its vertices were, frame after frame."""

from pathlib import Path

import numpy as np
import torch

from pose2mesh import kinds
from pose2mesh.body_models.joint_regressors import compose_regressor
from pose2mesh.errors import FormatError, InputError
from pose2mesh.npz import read_arrays
from pose2mesh.skeletons import JointSet
from pose2mesh.skeletons import joint_set as find_joint_set


class MeshBody:
    """A mesh of one topology and the frames that are known of it; metres, y up."""

    kind = kinds.MESH

    def __init__(self, frames: np.ndarray, faces: np.ndarray, regressor: np.ndarray, joint_set: str):
        """Shapes: frames [N,V,3] m; faces [F,3]; regressor [J,V] of the joints of a set. Raises InputError."""
        joints, count = find_joint_set(joint_set).joints, np.shape(frames)[-2]
        wrong = {
            f"vertices are {list(np.shape(frames))}, not [N, V, 3]": np.ndim(frames) != 3 or not len(frames),
            "vertices are not finite": not np.isfinite(frames).all(),
            f"faces name vertices beyond the {count} there are": not ((faces >= 0) & (faces < count)).all(),
            f"joints are {list(np.shape(regressor))}, not {[len(joints), count]} for {joint_set}": (
                np.shape(regressor) != (len(joints), count)
            ),
        }
        if faults := [fault for fault, is_so in wrong.items() if is_so]:
            raise InputError(f"mesh: {'; '.join(faults)}")
        self.frames = torch.as_tensor(np.asarray(frames, np.float32))  # [N, V, 3]
        self.v_template, self.faces = self.frames[0], torch.as_tensor(np.asarray(faces, np.int64))
        self.rows = dict(zip(joints, np.asarray(regressor, np.float64), strict=True))

    def joint_regressor(self, joint_set: str | JointSet) -> np.ndarray:
        """Weights [J,V] of a joint set, by the names of its joints. Raises InputError where one is not known here."""
        return compose_regressor(joint_set, {}, self.rows)


def load_mesh_body(path: str | Path) -> MeshBody:
    """The mesh of an NPZ: `vertices` [N,V,3] m, y up, `faces` [F,3], `joint_set` (a name), and for its joints either
    `joint_vertices` [J] (indices) or `joint_regressor` [J,V].

    Raises MissingFileError, FormatError.
    """
    arrays = read_arrays(Path(path), ("vertices", "faces", "joint_set"), remedy="write it as docs/extending.md says")
    try:
        regressor = arrays.get("joint_regressor")
        if regressor is None:
            regressor = np.eye(arrays["vertices"].shape[-2])[arrays["joint_vertices"]]
        return MeshBody(arrays["vertices"], arrays["faces"], regressor, str(arrays["joint_set"]))
    except (InputError, KeyError, IndexError) as error:
        why = f"lacks {error}" if isinstance(error, KeyError) else error
        raise FormatError(f"{path}: {why}; docs/extending.md says what it holds") from error
