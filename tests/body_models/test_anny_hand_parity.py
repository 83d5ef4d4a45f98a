"""The baked hand against the anny package: the same people and poses, right and left.

Measured on 16 people of 18-75 years, mean (largest) distance of a vertex, the wrist of both at the origin:

| | right hand | Anny's own left hand against the mirror image |
|---|---|---|
| rest | 0.06 mm (0.8 mm): what ten shape components leave out | the same |
| every finger bone turned by N(0, 17 degrees) per axis | 0.09 mm (1.6 mm) | the same |
"""

import os

import numpy as np
import pytest
import torch

from pose2mesh.body_models import load_hand_body
from pose2mesh.geometry.rotation import rotvec_to_rotmat

pytestmark = pytest.mark.anny

COUNT = 16
TO_SMPL = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=torch.float64)  # z up, facing -y -> y up, facing +z
MIRROR = torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)


@pytest.fixture(scope="module")
def people():
    """anny's model and phenotypes of COUNT adults."""
    if not os.environ.get("ANNY_CACHE_DIR"):
        pytest.skip("ANNY_CACHE_DIR is not set; without its cache anny takes minutes to start")
    import anny
    from anny.shape_distribution import SimpleShapeDistribution

    model = anny.Anny()
    torch.manual_seed(6)
    years = torch.tensor([18.0, 75.0], dtype=model.dtype)
    return model, SimpleShapeDistribution(model, torch.distributions.Uniform(*years)).sample(COUNT)[1]


def vertex_partners(model, rows: np.ndarray) -> np.ndarray:
    """The vertices opposite to `rows` on the other side of Anny's template, which is symmetric."""
    template = model.template_vertices.double()
    mirrored = template[rows] * MIRROR
    return torch.cdist(mirrored, template).argmin(1).numpy()


@pytest.mark.parametrize(("side", "degrees"), [("right", 0.0), ("right", 17.0), ("left", 0.0), ("left", 17.0)])
def test_against_anny(people, side: str, degrees: float) -> None:
    model, phenotypes = people
    hand, letter = load_hand_body(side), side[0].upper()
    rows = right_rows()
    rows = rows if side == "right" else vertex_partners(model, rows)
    rest = model.get_rest_model(model.get_phenotype_blendshape_coefficients(**phenotypes))
    labels = list(model.bone_labels)
    wrist = labels.index(f"wrist.{letter}")
    generator = torch.Generator().manual_seed(3)
    world = torch.eye(3, dtype=torch.float64).repeat(COUNT, len(labels), 1, 1)
    turns = rotvec_to_rotmat(np.deg2rad(degrees) * torch.randn(COUNT, 21, 3, generator=generator, dtype=torch.float64))
    for bone, name in enumerate(hand.bone_names[2:], 2):  # forearm and wrist at rest
        parent = world[:, labels.index(hand.bone_names[int(hand.parents[bone])])]
        world[:, labels.index(name)] = parent @ turns[:, bone]
    pose = torch.eye(4, dtype=model.dtype).repeat(COUNT, len(labels), 1, 1)
    pose[..., :3, :3] = world @ rest["rest_bone_poses"][..., :3, :3]
    output = model(pose_parameters=pose, phenotype_kwargs=phenotypes, pose_parameterization="world-orient")
    theirs = (output["vertices"][:, rows] - output["bone_poses"][:, wrist, None, :3, 3]) @ TO_SMPL.T
    shaped = (rest["rest_vertices"][:, rows] - rest["rest_bone_heads"][:, wrist, None]) @ TO_SMPL.T
    turned = torch.eye(3, dtype=torch.float64).repeat(COUNT, 21, 1, 1)
    for bone, name in enumerate(hand.bone_names[1:], 1):
        turned[:, bone] = TO_SMPL @ world[:, labels.index(name)] @ TO_SMPL.T
    ours = hand(betas_of(hand, shaped), hand.expand_pose(turned.float())).vertices[:, :-1]
    distance = 1e3 * (ours - theirs).norm(dim=-1)
    print(f"{side}, {degrees} degrees: {distance.mean():.3f} mm, largest {distance.max():.2f} mm")
    assert distance.mean() < 0.2 and distance.max() < 3


def right_rows() -> np.ndarray:
    from pose2mesh.npz import read_arrays
    from pose2mesh.paths import asset

    return read_arrays(asset("body_models/anny_hand.npz"), ("body_vertices",))["body_vertices"][:-1]


def betas_of(hand, shaped: torch.Tensor) -> torch.Tensor:
    """Least-squares shape coefficients of rest hands without the cap."""
    basis = hand.shapedirs[:-1].double().reshape(-1, hand.num_shape)
    offsets = (shaped - hand.v_template[:-1].double()).reshape(len(shaped), -1)
    return torch.linalg.lstsq(basis, offsets.T).solution.T.float()
