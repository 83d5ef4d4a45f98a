"""The baked body against the anny package: same people, same poses, poses expanded by the packs' rules.

Measured on 16 adults, mean (largest) distance of a vertex, with the pelvis bone of both at the origin:

| poses | baked body | its skinning alone, on anny's exact rest vertices |
|---|---|---|
| rest | 0.45 mm (8.4 mm): what 16 shape components leave out | 0 |
| random, 23 degrees per joint and axis | 0.77 mm (9.2 mm) | 0.56 mm (2.8 mm) |
| the same with anny's own bone heads | - | 0.0004 mm (0.02 mm) |

Bone heads are affine in the shape coefficients: 0.4 mm off anny's in the mean. The COCO-17 joints of the posed body are
0.7 mm off (4 mm).
"""

import os
from typing import NamedTuple

import numpy as np
import pytest
import torch
from pose_rules import expand
from scipy.spatial.transform import Rotation

from pose2mesh.body_models import AnnyBody, load_anny_body
from pose2mesh.body_models.linear_blend import skin
from pose2mesh.datasets.motion_pack import PARENTS

pytestmark = pytest.mark.anny

TO_SMPL = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # z up, facing -y  ->  y up, facing +z
COUNT = 16


class People(NamedTuple):
    """SMPL axes, metres; the root bone at the origin."""

    rest: np.ndarray  # [B, V, 3]
    heads: np.ndarray  # [B, K, 3] at rest
    captured: np.ndarray  # [B, 19, 3, 3] world rotations
    world: np.ndarray  # [B, K, 3, 3] of all bones
    posed: np.ndarray  # [B, V, 3]


@pytest.fixture(scope="module")
def body() -> AnnyBody:
    return load_anny_body()


@pytest.fixture(scope="module")
def people() -> People:
    if not os.environ.get("ANNY_CACHE_DIR"):
        pytest.skip("ANNY_CACHE_DIR is not set; without its cache anny takes minutes to start")
    import anny
    from anny.shape_distribution import SimpleShapeDistribution

    model = anny.Anny()
    torch.manual_seed(5)
    years = torch.tensor([18.0, 75.0], dtype=model.dtype)
    _, phenotypes = SimpleShapeDistribution(model, torch.distributions.Uniform(*years)).sample(COUNT)
    rest = model.get_rest_model(model.get_phenotype_blendshape_coefficients(**phenotypes))
    heads, root = rest["rest_bone_heads"].numpy(), rest["rest_bone_heads"][:, :1].numpy()
    captured = random_poses()
    labels, parents = list(model.bone_labels), list(model.bone_parents)
    mean_heads = dict(zip(labels, heads.mean(0), strict=True))
    world = np.stack([expand(pose, labels, parents, mean_heads) for pose in captured])  # [B, K, 3, 3]
    pose = torch.eye(4, dtype=model.dtype).repeat(COUNT, len(labels), 1, 1)
    pose[..., :3, :3] = torch.as_tensor(world) @ rest["rest_bone_poses"][..., :3, :3]
    output = model(pose_parameters=pose, phenotype_kwargs=phenotypes, pose_parameterization="world-orient")
    posed = (output["vertices"] - output["bone_poses"][:, :1, :3, 3]).numpy()
    turned = [TO_SMPL @ rotations @ TO_SMPL.T for rotations in (captured, world)]
    return People(
        (rest["rest_vertices"].numpy() - root) @ TO_SMPL.T, (heads - root) @ TO_SMPL.T, *turned, posed @ TO_SMPL.T
    )


def random_poses() -> np.ndarray:
    """World rotations [B,19,3,3] (Anny's axes): every joint turned by N(0, 0.4 rad) per axis against its parent."""
    rotvec = np.random.default_rng(0).normal(0, 0.4, (COUNT, 19, 3))
    world: list[Rotation] = []
    for bone, parent in enumerate(PARENTS):
        turn = Rotation.from_rotvec(rotvec[:, bone])
        world.append(turn if parent < 0 else world[parent] * turn)
    return np.stack([turn.as_matrix() for turn in world], 1)


def errors(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """Mean and largest distance in millimetres."""
    distance = 1e3 * np.linalg.norm(ours - theirs, axis=-1)
    return distance.mean(), distance.max()


def betas_of(body: AnnyBody, rest: np.ndarray) -> torch.Tensor:
    basis = body.shapedirs.double().numpy().reshape(-1, body.num_shape)
    offsets = (rest - body.v_template.double().numpy()).reshape(len(rest), -1)
    return torch.as_tensor(np.linalg.lstsq(basis, offsets.T, rcond=None)[0].T, dtype=torch.float32)


def test_shapes(body: AnnyBody, people: People) -> None:
    """16 components: 0.4 mm mean."""
    mean, largest = errors(body.rest(betas_of(body, people.rest)).vertices.numpy(), people.rest)
    print(f"rest: {mean:.3f} mm, largest {largest:.2f} mm")
    assert mean < 0.6 and largest < 12


def test_skinning_alone(body: AnnyBody, people: People) -> None:
    """Exact shape, exact bone heads, all bones by the rules: what is left is the weights' rounding to float16."""
    position = np.zeros_like(people.heads)
    for bone, parent in enumerate(body.parents.tolist()):
        if parent >= 0:
            offset = people.heads[:, bone] - people.heads[:, parent]
            position[:, bone] = position[:, parent] + np.einsum("bij,bj->bi", people.world[:, parent], offset)
    shift = position - np.einsum("bkij,bkj->bki", people.world, people.heads)
    transforms = torch.as_tensor(np.concatenate([people.world, shift[..., None]], -1), dtype=torch.float32)
    ours = skin(torch.as_tensor(people.rest, dtype=torch.float32), body.weights, transforms)
    mean, largest = errors(ours.numpy(), people.posed)
    print(f"skinning: {mean:.4f} mm, largest {largest:.3f} mm")
    assert mean < 0.05 and largest < 0.5


def test_poses_on_exact_shapes(body: AnnyBody, people: People) -> None:
    """Bone heads affine in the coefficients instead of anny's own."""
    distances = []
    for i in range(COUNT):
        arrays = {name: buffer.numpy() for name, buffer in body.named_buffers()}
        heads = body.rest(betas_of(body, people.rest[i : i + 1])).joints[0].numpy()  # [K, 3]
        arrays |= {"v_template": people.rest[i], "shapedirs": np.zeros((*people.rest[i].shape, 1))}
        arrays["heads"] = np.stack([heads, np.zeros_like(heads)], -1)  # [K, 3, 1+S]
        exact = AnnyBody(arrays, body.bone_names, body.keypoint_rows)
        captured = torch.as_tensor(people.captured[i : i + 1], dtype=torch.float32)
        output = exact(torch.zeros(1, 1), exact.expand_pose(captured))
        distances.append(errors((output.vertices - output.joints[:, :1])[0].numpy(), people.posed[i]))
    mean, largest = np.mean(distances, 0)[0], np.max(distances, 0)[1]
    print(f"exact shapes: {mean:.2f} mm, largest {largest:.1f} mm")
    assert mean < 0.8 and largest < 5


def test_shapes_and_poses(body: AnnyBody, people: People) -> None:
    """The body as it is used."""
    captured = torch.as_tensor(people.captured, dtype=torch.float32)
    output = body(betas_of(body, people.rest), body.expand_pose(captured))
    ours = (output.vertices - output.joints[:, :1]).numpy()
    mean, largest = errors(ours, people.posed)
    regressor = body.joint_regressor("coco17")
    joint_mean, joint_largest = errors(regressor @ ours, regressor @ people.posed)
    print(f"all: {mean:.2f} mm, largest {largest:.1f} mm; coco17 {joint_mean:.2f} mm, {joint_largest:.1f} mm")
    assert mean < 1.0 and largest < 13
