"""SMPL (Loper et al. 2015) and MANO (Romero et al. 2017) from the user's own files, posed by `smplx` (extra `smpl`).

The license of `smplx` allows non-commercial research only, so nothing free may need it.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pose2mesh import kinds
from pose2mesh.body_models.licensed_files import (
    FAMILIES,
    MANO,
    NUM_SHAPE,
    REGRESSORS,
    find_model,
    find_regressor,
    parent_joints,
    read_model,
    read_regressor,
)
from pose2mesh.body_models.linear_blend import BodyOutput, LinearBlendBody
from pose2mesh.errors import InputError, optional_import
from pose2mesh.skeletons import joint_set as find_joint_set
from pose2mesh.skeletons.conversion import DERIVED

# MANO's joints in the file's order, and the vertices that serve as fingertips, which MANO has no joint for: those of
# manopth (manolayer.py), which makes the targets of the Pose2Mesh release. Others take their neighbors, thumb to pinky:
# FreiHAND's own code (mano_utils.py) 744, 320, 443, 555, 672; smplx (vertex_ids.py) 744, 320, 443, 554, 671.
_HAND_JOINTS = ("wrist", *(f"{f}{k}" for f in ("index", "middle", "pinky", "ring", "thumb") for k in (1, 2, 3)))
_FINGERTIPS = {"thumb4": 745, "index4": 317, "middle4": 444, "ring4": 556, "pinky4": 673}
_LEFT_MIDDLE_TIP = 445


class LicensedBody(LinearBlendBody):
    """SMPL or MANO: linear blend skinning with pose blend shapes; ten shape components.

    A pose of identities is the file's template: MANO's mean hand pose is not added. Buffers: those of
    LinearBlendBody, posedirs [9 (K - 1), 3 V], and where a file of MANO has it mean_rotvec [K, 3], the mean pose.
    """

    path: Path
    posedirs: Tensor
    mean_rotvec: Tensor | None

    def __init__(self, name: str, path: Path, arrays: dict[str, np.ndarray]):
        is_hand = FAMILIES[name] is MANO
        fields = {
            **arrays,
            "shapedirs": arrays["shapedirs"][..., :NUM_SHAPE],
            "parents": parent_joints(arrays),
            "faces": arrays["f"],
        }
        super().__init__(fields, _HAND_JOINTS if is_hand else find_joint_set("smpl24").joints, {})
        posedirs = arrays["posedirs"].reshape(-1, arrays["posedirs"].shape[-1]).T  # [9 (K - 1), 3 V]
        self.register_buffer("posedirs", torch.as_tensor(np.ascontiguousarray(posedirs, np.float32)), persistent=False)
        mean = np.concatenate([np.zeros(3), arrays["hands_mean"]]) if "hands_mean" in arrays else None
        mean_rotvec = None if mean is None else torch.as_tensor(mean, dtype=torch.float32).view(-1, 3)  # [K, 3]
        self.register_buffer("mean_rotvec", mean_rotvec, persistent=False)
        self.name, self.path, self.kind = name, path, kinds.MANO if is_hand else kinds.SMPL

    def forward(self, betas: Tensor, pose_rotmat: Tensor) -> BodyOutput:
        """Shape and pose to vertices.

        Shapes: betas [B, 10]; pose_rotmat [B, K, 3, 3] relative to the parent joint; returns BodyOutput.
        """
        vertices, joints = _skinning()(
            betas, pose_rotmat, self.v_template, self.shapedirs, self.posedirs, self.J_regressor, self.parents,
            self.weights, pose2rot=False,
        )  # fmt: skip
        return BodyOutput(vertices, joints)

    def joint_regressor(self, joint_set: str) -> np.ndarray:
        """Weights [J, V] of a joint set: SMPL smpl24, human36m17, coco17, coco19; MANO hand21.

        The H36M and COCO sets need their regressor files (see docs/licensed-models.md). Raises InputError for a set
        that this body has no regressor for, MissingFileError where the file is not there.
        """
        joints = find_joint_set(joint_set)
        rows = self._rows(joints.name)
        rows |= {
            name: np.mean([rows[part] for part in parts], axis=0)
            for name, parts in DERIVED.items()
            if name not in rows and rows.keys() >= set(parts)
        }
        if missing := [joint for joint in joints.joints if joint not in rows]:
            raise InputError(f"{self.name} has no {missing[0]!r}, so joint set {joints.name!r} cannot be regressed")
        return np.stack([rows[joint] for joint in joints.joints])

    def _rows(self, joint_set: str) -> dict[str, np.ndarray]:
        """Weights [V] by joint."""
        source = "coco17" if joint_set == "coco19" else joint_set
        if source in REGRESSORS and FAMILIES[self.name] is not MANO:
            names = find_joint_set(source).joints
            file = find_regressor(source, self.path.parent)
            return dict(zip(names, read_regressor(file, len(names), len(self.v_template)), strict=True))
        rows = dict(zip(self.bone_names, self.J_regressor.cpu().numpy(), strict=True))
        if FAMILIES[self.name] is MANO:
            tips = _FINGERTIPS | ({"middle4": _LEFT_MIDDLE_TIP} if self.name == "mano-left" else {})
            rows |= {tip: np.eye(1, len(self.v_template), vertex)[0] for tip, vertex in tips.items()}
        return rows


def load_licensed_body(name: str, path: str | Path | None = None) -> LicensedBody:
    """Load smpl-neutral, smpl-male, smpl-female, mano-right or mano-left; `path` is a file or a folder.

    Raises MissingDependencyError without smplx, MissingFileError with the page to register at, FormatError for a
    damaged or foreign file.
    """
    _skinning()
    file = find_model(name, path)
    arrays = read_model(file, FAMILIES[name])
    if name == "mano-left":
        right = read_model(find_model("mano-right", file.parent), MANO)
        arrays["shapedirs"] = mirrored_shapes(arrays["shapedirs"], right["shapedirs"])
    return LicensedBody(name, file, arrays)


@functools.cache
def _skinning() -> Callable[..., Any]:
    """`smplx.lbs.lbs`, which takes Tensors but says otherwise. Raises MissingDependencyError without it."""
    with optional_import(
        "SMPL and MANO need the package smplx, for non-commercial research only; pip install 'pose2mesh[smpl]'"
    ):
        from smplx.lbs import lbs
    return lbs


def mirrored_shapes(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The left hand's shape directions with the sign of x that mirrors the right hand's.

    The published left hand has the right hand's x unmirrored (smplx issue 48), so positive components widen the one
    and narrow the other. Left and right agree vertex by vertex, so x is wrong where it is nearer to the right hand's
    than to its mirror image. That cannot be told from the left file alone.

    Shapes: [V, 3, S] each; returns [V, 3, S].
    """
    count = min(left.shape[-1], right.shape[-1])
    x_left, x_right = left[:, 0, :count], right[:, 0, :count]
    if np.abs(x_left - x_right).sum() >= np.abs(x_left + x_right).sum():
        return left
    return left * np.array([-1.0, 1.0, 1.0])[:, None]
