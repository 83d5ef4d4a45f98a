"""The same skinning, reduced to what training needs: chosen vertices and joints, bones that turn together merged.

Exact, not an approximation: bones that copy their parent's rotation move with it, so their weights add up. Joints
are regressed without their vertices: a regressor row r over vertices v = sum_g w_vg (D_g (v - J_g) + T_g) is
sum_g (D_g a_g + c_g T_g) with a_g = sum_v r_v w_vg (v - J_g), c_g = sum_v r_v w_vg, both fixed or linear in shape.
"""

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.body_models.hand import HandBody


class ReducedBody(nn.Module):
    """Chosen vertices [n] and some joints, from shape and group rotations."""

    vertices: Tensor  # [n, 3, 1+S]
    weights: Tensor  # [n, G]
    heads: Tensor  # [G, 3, 1+S]
    offsets: Tensor  # [G, 3, 1+S]
    chain: Tensor  # [G, G]
    lever: Tensor  # [J, G, 3, 1+S]
    share: Tensor  # [J, G]
    parents: Tensor  # [G]
    has_parent: Tensor  # [G, 1, 1]

    def __init__(self, body: AnnyBody | HandBody, vertex_ids: np.ndarray, joints: str | np.ndarray):
        """`joints`: the name of a set, or the weights [J,V] of joints over all vertices."""
        super().__init__()
        weights, heads, parents = merge_bones(body)
        regressor = body.joint_regressor(joints) if isinstance(joints, str) else joints  # [J, V]
        template = torch.cat([body.v_template[..., None], body.shapedirs], -1).numpy()  # [V, 3, 1+S]
        share = np.zeros((len(regressor), len(heads)))  # [J, G]
        lever = np.zeros((*share.shape, *template.shape[1:]))  # [J, G, 3, 1+S]
        for joint, row in enumerate(regressor):
            used = np.flatnonzero(row)  # [U]: a few of thousands
            blend = row[used, None] * weights[used]  # [U, G]
            share[joint] = blend.sum(0)
            lever[joint] = np.tensordot(blend, template[used], ([0], [0])) - share[joint, :, None, None] * heads
        self._store("vertices", template[vertex_ids])  # [n, 3, 1+S]
        self._store("weights", weights[vertex_ids])  # [n, G]
        self._store("heads", heads)  # [G, 3, 1+S]
        self._store("offsets", heads - np.where(parents[:, None, None] >= 0, heads[parents], 0.0))
        self._store("chain", ancestor_matrix(parents))  # [G, G]
        self._store("lever", lever)  # [J, G, 3, 1+S]
        self._store("share", share)
        self.register_buffer("parents", torch.as_tensor(np.maximum(parents, 0)), persistent=False)
        self.register_buffer("has_parent", torch.as_tensor(parents >= 0)[:, None, None], persistent=False)

    def _store(self, name: str, array: np.ndarray) -> None:
        self.register_buffer(name, torch.as_tensor(array, dtype=torch.float32), persistent=False)

    def positions(self, shape: Tensor, rotations: Tensor) -> Tensor:
        """Posed group heads [B,G,3]: each is the sum of the rotated bones between it and the root."""
        offsets = torch.einsum("gis,bs->bgi", self.offsets, shape)
        turned = torch.where(self.has_parent, rotations[:, self.parents], torch.eye(3, device=shape.device))
        return self.chain @ (turned @ offsets[..., None])[..., 0]

    def joints(self, betas: Tensor, rotations: Tensor) -> Tensor:
        """Joints [B,J,3] m from betas [B,S] and world rotations of the groups [B,G,3,3]."""
        shape = _with_one(betas)  # [B, 1+S]
        lever = torch.einsum("jgis,bs->bgij", self.lever, shape)  # [B, G, 3, J]
        turned = (rotations @ lever).sum(1)  # [B, 3, J]
        return turned.transpose(1, 2) + self.share @ self.positions(shape, rotations)

    def skin(self, betas: Tensor, rotations: Tensor) -> Tensor:
        """Vertices [B,n,3] m from betas [B,S] and world rotations of the groups [B,G,3,3]."""
        shape = _with_one(betas)
        rest = torch.einsum("vis,bs->bvi", self.vertices, shape)  # [B, n, 3]
        heads = torch.einsum("gis,bs->bgi", self.heads, shape)
        shift = self.positions(shape, rotations) - (rotations @ heads[..., None])[..., 0]  # [B, G, 3]
        transforms = torch.cat([rotations.transpose(2, 3).flatten(2), shift], -1)  # [B, G, 12], column by column
        x, y, z, place = (self.weights @ transforms).split(3, -1)  # [B, n, 3]
        for column, along in zip((x, y, z), rest.split(1, -1), strict=True):  # small matrix products take twice as long
            place = torch.addcmul(place, column, along)
        return place


def merge_bones(body: AnnyBody | HandBody) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights [V,G], heads linear in shape [G,3,1+S], parent group [G] (-1 for the root)."""
    group_of = body.group_of.numpy()
    weights = body.weights.double().numpy() @ np.eye(len(body.groups))[group_of]  # [V, G]
    leading = [body.bone_names.index(name) for name in body.groups]
    parents = body.parents.numpy()[leading]
    return weights, body.heads.double().numpy()[leading], np.where(parents >= 0, group_of[np.maximum(parents, 0)], -1)


def ancestor_matrix(parents: np.ndarray) -> np.ndarray:
    """[G,G] with 1 where the column is the row itself or one of its ancestors."""
    chain = np.eye(len(parents))
    for group, parent in enumerate(parents):
        if parent >= 0:
            chain[group] += chain[parent]
    return chain


def _with_one(betas: Tensor) -> Tensor:
    return torch.cat([torch.ones_like(betas[:, :1]), betas], 1)
