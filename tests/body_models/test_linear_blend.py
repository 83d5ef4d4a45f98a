"""Skinning against smplx on a small random body, and against the formula written out for the shipped one."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from smplx.lbs import lbs

from pose2mesh.body_models import LinearBlendBody, load_anny_body, load_body_model, world_to_relative
from pose2mesh.errors import InputError

PARENTS = [-1, 0, 1, 1, 3]
V, K, S = 37, 5, 3


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    weights, regressor = rng.random((V, K)), rng.random((K, V))
    return {
        "v_template": rng.normal(size=(V, 3)),
        "shapedirs": rng.normal(size=(V, 3, S)),
        "J_regressor": regressor / regressor.sum(1, keepdims=True),
        "weights": weights / weights.sum(1, keepdims=True),
        "parents": np.array(PARENTS),
        "faces": rng.integers(0, V, (11, 3)),
    }


def random_rotmats(*shape: int, seed: int = 1) -> torch.Tensor:
    count = int(np.prod(shape))
    return torch.as_tensor(Rotation.random(count, rng=seed).as_matrix(), dtype=torch.float32).view(*shape, 3, 3)


def test_forward_is_smplx_without_pose_blend_shapes(arrays: dict[str, np.ndarray]) -> None:
    body = LinearBlendBody(arrays, tuple("abcde"), {})
    betas, pose = torch.randn(4, S), random_rotmats(4, K)
    vertices, joints = lbs(
        betas,
        pose,
        body.v_template[None],
        body.shapedirs,
        torch.zeros(9 * (K - 1), 3 * V),
        body.J_regressor,
        body.parents,
        body.weights,
        pose2rot=False,
    )
    output = body(betas, pose)
    torch.testing.assert_close(output.vertices, vertices, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(output.joints, joints, rtol=1e-5, atol=1e-5)


def test_identity_pose_is_the_rest_body(arrays: dict[str, np.ndarray]) -> None:
    body = LinearBlendBody(arrays, tuple("abcde"), {})
    betas = torch.randn(2, S)
    expected = arrays["v_template"] + np.einsum("vis,bs->bvi", arrays["shapedirs"], betas.numpy())
    output = body(betas, torch.eye(3).expand(2, K, 3, 3))
    np.testing.assert_allclose(output.vertices, expected, atol=1e-5)
    np.testing.assert_allclose(output.joints, np.einsum("kv,bvi->bki", arrays["J_regressor"], expected), atol=1e-5)


def test_world_rotations_become_relative_ones() -> None:
    world = random_rotmats(3, K)
    relative = world_to_relative(world, torch.tensor(PARENTS))
    for bone, parent in enumerate(PARENTS):  # following the chain again gives the world rotation
        chain = relative[:, bone] if parent < 0 else world[:, parent] @ relative[:, bone]
        torch.testing.assert_close(chain, world[:, bone], rtol=0, atol=1e-6)


def test_shipped_body_follows_the_formula_in_world_rotations() -> None:
    """T_root = J_root, T_i = T_p + D_p (J_i - J_p); v = sum_i w_i (D_i (v - J_i) + T_i), in float64."""
    body = load_anny_body()
    count, parents = len(body.bone_names), body.parents.tolist()
    betas, world = torch.randn(2, body.num_shape), random_rotmats(2, count)
    rest = body.v_template.double() + torch.einsum("vis,bs->bvi", body.shapedirs.double(), betas.double())
    shape = torch.cat([torch.ones(2, 1), betas], 1).double()
    heads = torch.einsum("kis,bs->bki", body.heads.double(), shape).numpy()  # [B, K, 3]
    turn, rest, weights = world.double().numpy(), rest.numpy(), body.weights.double().numpy()
    position = np.zeros_like(heads)
    expected = np.zeros_like(rest)
    for i, parent in enumerate(parents):
        step = turn[:, parent] @ (heads[:, i] - heads[:, parent])[..., None] if parent >= 0 else heads[:, i, :, None]
        position[:, i] = step[..., 0] + (position[:, parent] if parent >= 0 else 0)
        moved = np.einsum("bij,bvj->bvi", turn[:, i], rest - heads[:, i, None]) + position[:, i, None]
        expected += weights[:, i, None] * moved
    output = body(betas, world_to_relative(world, body.parents))
    assert np.abs(output.vertices.numpy() - expected).max() < 1e-5
    assert np.abs(output.joints.numpy() - position).max() < 1e-5


def test_unknown_bodies_are_refused() -> None:
    with pytest.raises(InputError, match=r"unknown body model 'smiley'; known: .*anny-body"):
        load_body_model("smiley")
