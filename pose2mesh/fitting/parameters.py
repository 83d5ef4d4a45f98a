"""Body parameters from the vertices of a predicted mesh, in closed form, for networks that return vertices alone."""

import numpy as np
import torch
from torch import Tensor

from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.body_models.reduced import ReducedBody
from pose2mesh.geometry.procrustes import best_rotation
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.skeletons import MOTION_BONES

ROUNDS = 3  # of rotations, then shape; after the first, rotations are corrected from where the body stands so far
SHAPE_RIDGE = 0.01  # m² per squared deviation of shape: keeps the coefficients near people where the mesh says nothing


class ParameterFit:
    """Rotations and shape of meshes [B,n,3] over the vertices `vertex_ids` of the body.

    Every captured bone gets the rotation that best turns its own vertices from rest to where they are (Kabsch 1976);
    given the rotations, vertices are linear in shape, so that is a ridge regression (Loper et al. 2015, eq. 2). Skin
    near a joint follows two bones, so the first answer is off by some degrees; comparing the body that it makes with
    the mesh, bone by bone, corrects it.
    """

    def __init__(self, body: AnnyBody, vertex_ids: np.ndarray):
        self.body, self.reduced = body, ReducedBody(body, vertex_ids, "coco19")
        holds = self.reduced.weights[:, [body.groups.index(bone) for bone in MOTION_BONES]].T  # [19, n]
        self.weights = holds.square() / holds.square().sum(1, keepdim=True)  # [19, n]

    @torch.no_grad()
    def __call__(self, vertices: Tensor) -> BodyParameters:
        shape = (len(vertices), self.body.num_shape)
        betas = vertices.new_zeros(shape)  # [B, S]
        rotations = torch.eye(3).to(vertices).expand(len(vertices), len(MOTION_BONES), 3, 3)
        for _ in range(ROUNDS):
            posed = self.reduced.skin(betas, self.body.expand_groups(rotations))  # [B, n, 3]
            rotations = self._turns(posed, vertices) @ rotations
            betas = self._shape(vertices, rotations)
        return BodyParameters(rotations, betas)

    def _turns(self, start: Tensor, end: Tensor) -> Tensor:
        """Rotations [B,19,3,3] that best turn each bone's vertices from `start` to `end`, [B,n,3] both."""
        centered = start[:, None] - (self.weights @ start)[:, :, None]  # [B, 19, n, 3]
        return best_rotation(torch.einsum("kn,bni,bknj->bkij", self.weights, end, centered))[0]

    def _shape(self, vertices: Tensor, rotations: Tensor) -> Tensor:
        """Shape [B,S] for known rotations; where the mesh stands is not looked at."""
        groups = self.body.expand_groups(rotations)
        count = self.body.num_shape
        units = torch.cat([torch.zeros(1, count), torch.eye(count)]).to(vertices)  # [1+S, S]
        posed = torch.stack([self.reduced.skin(unit.expand(len(vertices), -1), groups) for unit in units], -1)
        posed = posed - posed.mean(1, keepdim=True)  # [B, n, 3, 1+S]
        template, directions = posed[..., 0], (posed[..., 1:] - posed[..., :1]).flatten(1, 2)  # [B, 3n, S]
        wanted = (vertices - vertices.mean(1, keepdim=True) - template).flatten(1)  # [B, 3n]
        normal = directions.transpose(1, 2) @ directions + SHAPE_RIDGE * torch.eye(count).to(vertices)
        return torch.linalg.solve(normal, directions.transpose(1, 2) @ wanted[..., None])[..., 0]
