"""Bake four skinning weights a vertex for the free body, fitted over many poses and shapes."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pose2mesh.body_models.anny import AnnyBody
from pose2mesh.body_models.rig_fit import COUNT, fit_vertices, skinning_error, vertices_with_more
from pose2mesh.body_models.rig_weights import heaviest
from pose2mesh.geometry.rotation import rotvec_to_rotmat
from pose2mesh.npz import write_arrays

FINGER_DEGREES = 15.0  # fingers and toes copy their parent in recordings; without own motion they would be lost


def bake_rig(path: Path, body: AnnyBody, rotations: Tensor, betas: Tensor, seed: int = 0) -> dict[str, float]:
    """Write the fitted weights; rotations [P,19,3,3] in the body's axes, betas [P,S]. Returns errors in mm."""
    transforms, rest = pose_bones(body, rotations, betas, FINGER_DEGREES, seed)
    vertices = vertices_with_more(body)  # [n]
    fitted = fit_vertices(body, vertices, transforms, rest)
    arrays = {
        "vertices": vertices.numpy().astype(np.uint16),
        "bones": fitted.bones.numpy().astype(np.uint8),
        "weights": fitted.weights.numpy().astype(np.float32),
    }
    write_arrays(path, arrays)
    result = heaviest(body.weights.numpy(), COUNT)
    result.bones[arrays["vertices"]], result.weights[arrays["vertices"]] = arrays["bones"], arrays["weights"]
    error = skinning_error(body, result, transforms, rest)  # [P, V]
    return {"mean_mm": error.mean().item(), "largest_mm": error.max().item()}


def pose_bones(
    body: AnnyBody, rotations: Tensor, betas: Tensor, finger_degrees: float = 0.0, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Skinning transforms [P,K,3,4] and rest vertices [P,V,3] m, fingers and toes turned at random on top."""
    pose = body.expand_pose(rotations)  # [P, K, 3, 3]
    free = torch.tensor([name.startswith(("finger", "metacarpal", "toe")) for name in body.bone_names])
    noise = torch.randn(*pose.shape[:2], 3, generator=torch.Generator().manual_seed(seed))
    pose = pose @ rotvec_to_rotmat(noise * free[:, None] * np.deg2rad(finger_degrees))
    rest = body.rest(betas)
    return body.move_bones(rest.joints, pose)[0], rest.vertices
