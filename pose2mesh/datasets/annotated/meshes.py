"""Meshes and joints of the people in a SampleTable, made with the body models they name."""

from collections.abc import Mapping

import torch
from torch import Tensor

from pose2mesh.body_models import LicensedBody
from pose2mesh.datasets.annotated.table import SampleTable
from pose2mesh.errors import InputError
from pose2mesh.geometry.rotation import rotvec_to_rotmat
from pose2mesh.skeletons import joint_set

OWN_SETS = ("smpl24", "hand21")  # sets whose joints are the model's own; the others are read off the surface


class BodySurfaces:
    """Body models by name, with the joint regressors that are needed of them."""

    def __init__(self, bodies: Mapping[str, LicensedBody], joint_sets: tuple[str, ...]):
        self.bodies = bodies
        neutral = next(iter(bodies.values()))
        # The published regressors are the same for all genders.
        self.regressors = {
            name: torch.as_tensor(neutral.joint_regressor(name), dtype=torch.float32)  # [J, V]
            for name in dict.fromkeys(joint_sets)
        }

    def vertices(self, people: SampleTable) -> tuple[Tensor, Tensor]:
        """Vertices [B, V, 3] and bone heads [B, K, 3] in metres, camera frame."""
        vertices, heads = None, None
        for number, name in enumerate(people.models):
            rows = (people.model == number).nonzero()[:, 0]
            if not len(rows):
                continue
            found = self._of_model(self.bodies[name], people.rows(rows))
            if vertices is None or heads is None:
                vertices, heads = (part.new_empty(len(people), *part.shape[1:]) for part in found)
            vertices[rows], heads[rows] = found
        assert vertices is not None and heads is not None  # a batch has at least one person
        return vertices, heads

    def joints(self, name: str, vertices: Tensor, heads: Tensor, model: str) -> Tensor:
        """Joints [B, J, 3] of a set, from the surface, or from the bones where the set is the model's own."""
        joints = self.regressors[name] @ vertices  # [B, J, 3]
        if name in OWN_SETS:
            bones = self.bodies[model].bone_names
            for row, joint in enumerate(joint_set(name).joints):
                if joint in bones:  # fingertips are vertices
                    joints[:, row] = heads[:, bones.index(joint)]
        return joints

    def _of_model(self, body: LicensedBody, people: SampleTable) -> tuple[Tensor, Tensor]:
        rotvec = people.rotvec
        if people.adds_mean_pose.any():
            if body.mean_rotvec is None:
                raise InputError(f"{body.path} has no hands_mean, from which FreiHAND's poses count; convert it again")
            rotvec = rotvec + people.adds_mean_pose[:, None, None] * body.mean_rotvec
        output = body(people.betas, rotvec_to_rotmat(rotvec))
        root = output.joints[:, :1]  # [B, 1, 3]
        turned = people.camera_rotation.transpose(1, 2)  # points are rows
        about = torch.where(people.turns_about_root[:, None, None], root, torch.zeros_like(root))
        moved = people.translation[:, None] - about
        shift = people.camera_translation[:, None] + about
        return (output.vertices + moved) @ turned + shift, (output.joints + moved) @ turned + shift


def project(people: SampleTable, points: Tensor) -> Tensor:
    """Camera-frame points [B, J, 3] m to pixels [B, J, 2] by each person's camera."""
    depth = torch.where(people.is_orthographic[:, None, None], 1.0, points[..., 2:])
    return points[..., :2] / depth * people.focal[:, None] + people.center[:, None]
