"""Skinning against smplx on a small random body, and against the formula written out for the shipped one."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pose2mesh.body_models import LinearBlendBody, load_anny_body, load_body_model
from pose2mesh.errors import InputError
from pose2mesh.geometry.chains import relative_rotations

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


def test_forward_and_gradients_are_those_of_smplx(arrays: dict[str, np.ndarray]) -> None:
    """Without pose blend shapes; in float64, so that the sums' order does not matter."""
    lbs = pytest.importorskip("smplx.lbs", reason="smplx is not installed; pip install 'pose2mesh[smpl]'").lbs
    body = LinearBlendBody(arrays, tuple("abcde"), {}).double()
    ours = torch.randn(4, S, dtype=torch.float64, requires_grad=True), random_rotmats(4, K).double().requires_grad_()
    theirs = tuple(x.detach().clone().requires_grad_() for x in ours)
    posedirs = torch.zeros(9 * (K - 1), 3 * V, dtype=torch.float64)
    buffers = body.v_template[None], body.shapedirs, posedirs, body.J_regressor.double(), body.parents, body.weights
    body.heads = torch.einsum(  # not rounded to float32 before
        "kv,vis->kis", body.J_regressor, torch.cat([body.v_template[..., None], body.shapedirs], -1)
    )
    expected, output = lbs(*theirs, *buffers, pose2rot=False), body(*ours)
    downstream = [torch.randn_like(part) for part in output]
    for value, reference in zip(output, expected, strict=True):
        torch.testing.assert_close(value, reference, rtol=0, atol=1e-12)
    gradients = (torch.autograd.grad(parts, x, downstream) for parts, x in ((output, ours), (expected, theirs)))
    for value, reference in zip(*gradients, strict=True):
        torch.testing.assert_close(value, reference, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["anny-body", "anny-hand", "anny-hand-left"])
def test_shipped_bodies_are_a_micrometre_from_smplx(name: str) -> None:
    """In float32, as they run; the heads are the baked ones, which smplx would regress."""
    smplx = pytest.importorskip("smplx.lbs", reason="smplx is not installed; pip install 'pose2mesh[smpl]'")
    body = load_body_model(name)
    betas, pose = torch.randn(3, body.num_shape), random_rotmats(3, len(body.bone_names))
    shaped = body.v_template + smplx.blend_shapes(betas, body.shapedirs)
    heads = body.heads[..., 0] + smplx.blend_shapes(betas, body.heads[..., 1:])
    joints, transforms = smplx.batch_rigid_transform(pose, heads, body.parents)
    blended = torch.einsum("vk,bkij->bvij", body.weights, transforms)
    expected = (blended[..., :3, :3] @ shaped[..., None])[..., 0] + blended[..., :3, 3]
    output = body(betas, pose)
    assert (output.vertices - expected).abs().max() < 1e-6
    assert (output.joints - joints).abs().max() < 1e-6


def test_identity_pose_is_the_rest_body(arrays: dict[str, np.ndarray]) -> None:
    body = LinearBlendBody(arrays, tuple("abcde"), {})
    betas = torch.randn(2, S)
    expected = arrays["v_template"] + np.einsum("vis,bs->bvi", arrays["shapedirs"], betas.numpy())
    output = body(betas, torch.eye(3).expand(2, K, 3, 3))
    np.testing.assert_allclose(output.vertices, expected, atol=1e-5)
    np.testing.assert_allclose(output.joints, np.einsum("kv,bvi->bki", arrays["J_regressor"], expected), atol=1e-5)


def test_world_rotations_become_relative_ones() -> None:
    world = random_rotmats(3, K)
    relative = relative_rotations(world, torch.tensor(PARENTS))
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
    output = body(betas, relative_rotations(world, body.parents))
    assert np.abs(output.vertices.numpy() - expected).max() < 1e-5
    assert np.abs(output.joints.numpy() - position).max() < 1e-5


def test_unknown_bodies_are_refused() -> None:
    with pytest.raises(InputError, match=r"unknown body 'smiley'; known: .*anny-body"):
        load_body_model("smiley")
