"""The default network and its ablations: what must hold for any weights."""

import numpy as np
import pytest
import torch
from tiny_network import LEVELS, tiny_settings

from pose2mesh import paths
from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints import build_network, finest_vertex_ids
from pose2mesh.errors import InputError
from pose2mesh.hierarchy import load_hierarchy
from pose2mesh.networks.compact import CompactPose2Mesh
from pose2mesh.networks.prediction import UncertainPrediction
from pose2mesh.settings import load_config
from pose2mesh.skeletons import joint_set
from pose2mesh.training.config import TrainConfig

KINDS = list(LEVELS)


def poses(count: int = 5, seed: int = 0) -> torch.Tensor:
    """Keypoints [B,17,3], a few missing."""
    generator = torch.Generator().manual_seed(seed)
    keypoints = torch.rand(count, 17, 3, generator=generator) + 0.1
    keypoints[:, 3:, 2] *= torch.rand(count, 14, generator=generator) > 0.2
    return keypoints


def build(kind: str) -> CompactPose2Mesh:
    torch.manual_seed(0)
    network = build_network(tiny_settings(kind))
    assert isinstance(network, CompactPose2Mesh)
    return network.eval()


@pytest.fixture(scope="module")
def network() -> CompactPose2Mesh:
    return build("coarse_to_fine")


def vertices_of(network: CompactPose2Mesh, keypoints: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return network(keypoints).vertices


def test_position_and_size_of_the_keypoints_do_not_matter(network: CompactPose2Mesh) -> None:
    keypoints = poses()
    moved = keypoints.clone()
    moved[..., :2] = 640 * keypoints[..., :2] + torch.tensor([100.0, -30.0])
    assert (vertices_of(network, moved) - vertices_of(network, keypoints)).abs().max() < 1e-4


def test_coordinates_of_missing_joints_do_not_matter(network: CompactPose2Mesh) -> None:
    keypoints = poses()
    altered = keypoints.clone()
    altered[..., :2][keypoints[..., 2] == 0] = float("nan")
    assert torch.equal(vertices_of(network, altered), vertices_of(network, keypoints))
    altered = keypoints.clone()
    altered[:, 0, 2] = 0  # but whether a joint is missing does
    assert not torch.allclose(vertices_of(network, altered), vertices_of(network, keypoints))


def test_mirrored_poses_give_mirrored_joints(network: CompactPose2Mesh) -> None:
    """Exactly, for any weights: a pose and its mirror image are lifted together."""
    keypoints = poses()
    mirrored = keypoints[:, list(joint_set("coco17").flip_permutation)] * torch.tensor([-1.0, 1, 1])
    with torch.inference_mode():
        joints, others = network(keypoints).joints, network(mirrored).joints
    expected = joints[:, list(joint_set("coco19").flip_permutation)] * torch.tensor([-1.0, 1, 1])
    assert (others - expected).abs().max() < 1e-5
    assert (others - joints).abs().max() > 0.01


def test_batch_equals_single(network: CompactPose2Mesh) -> None:
    keypoints = poses()
    single = torch.cat([vertices_of(network, one[None]) for one in keypoints])
    assert (single - vertices_of(network, keypoints)).abs().max() < 1e-5


def test_finest_joints_are_those_of_the_full_mesh(network: CompactPose2Mesh) -> None:
    """The regressor on the finest level is the body's on the upsampled mesh."""
    finest = torch.randn(2, network.joint_regressor.shape[1], 3)
    full = network.to_full.matmul(finest)
    expected = torch.as_tensor(load_anny_body().joint_regressor("coco19")) @ full
    torch.testing.assert_close(network.regress_joints(finest), expected, rtol=0, atol=1e-5)


def test_every_level_has_the_size_of_the_hierarchy(network: CompactPose2Mesh) -> None:
    sizes = load_hierarchy("anny_body_qem").sizes
    levels = network.mesh_head(network.lifter(poses()).features)
    assert [len(level[0]) for level in levels] == [sizes[3], sizes[3], sizes[2], sizes[1]]
    assert sizes[1] <= 1800  # graph layers on at most about 1,700 nodes


def test_first_guess_is_the_coarsest_level(network: CompactPose2Mesh) -> None:
    features = network.lifter(poses()).features
    assert torch.equal(network.mesh_head.coarsest(features), network.mesh_head(features)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_ablations_run_and_learn_with_every_parameter(kind: str) -> None:
    network = build(kind)
    output = network(poses())
    assert output.vertices.shape == (5, 13718, 3) and output.joints.shape == (5, 19, 3)
    assert torch.isfinite(output.vertices).all()
    (output.vertices.square().sum() + output.joints.square().sum()).backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []
    assert network.faces.shape == (27420, 3) and network.joint_set == "coco17"
    assert len(network.output_joint_names) == 19


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_keeps_coordinates_in_float32(kind: str) -> None:
    network = build(kind)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = network(poses())
    exact = network(poses())
    for name in ("vertices", "joints"):
        assert getattr(rounded, name).dtype == torch.float32
        difference = (getattr(rounded, name) - getattr(exact, name)).abs().max()
        assert difference < 0.05 * getattr(exact, name).abs().max()


def test_shipped_size_is_within_the_promise() -> None:
    config = load_config(TrainConfig, paths.asset("configs/train_anny_body.yaml"), [])
    network = build_network(config.network.model_dump(mode="json"))
    assert sum(p.numel() for p in network.parameters()) <= 8_000_000


def test_finest_vertex_ids_are_the_rows_of_the_upsampling(network: CompactPose2Mesh) -> None:
    """Where the finest level's vertices sit in the full mesh, upsampling copies them."""
    ids = finest_vertex_ids(tiny_settings())
    finest = torch.randn(1, len(ids), 3)
    torch.testing.assert_close(network.to_full.matmul(finest)[:, ids], finest, rtol=0, atol=1e-6)
    classic = {**tiny_settings(), "kind": "classic"}
    assert np.array_equal(finest_vertex_ids(classic), np.arange(13718))  # that network goes to the full mesh itself


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": [4, 4]}, "2 channels and 3 blocks"),
        ({"channels": [4] * 9, "blocks": [1] * 9}, "9 channels"),
        ({"kind": "direct"}, "finest level alone"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes: dict, message: str) -> None:
    settings = tiny_settings()
    settings["mesh"] |= changes
    with pytest.raises(InputError, match=message):
        build_network(settings)


@pytest.mark.parametrize("inputs", [(), ("vertices",), ("nodes",), ("pose",), ("vertices", "nodes", "pose")])
def test_levels_hold_weights_for_what_they_are_fed(inputs: tuple[str, ...]) -> None:
    """Channels 4, latent 8: 3 x 4 weights for vertices, a vector per node, 8 x 4 for the pose."""
    settings = tiny_settings("coarse_to_fine")
    settings["mesh"]["inputs"] = inputs
    fed = build_network(settings)
    bare = build_network({**settings, "mesh": {**settings["mesh"], "inputs": ()}})
    nodes = load_hierarchy("anny_body_qem").sizes[1:]
    expected = {"vertices": 3 * 3 * 4, "nodes": 4 * sum(nodes), "pose": 3 * 8 * 4}
    count = sum(p.numel() for p in fed.parameters()) - sum(p.numel() for p in bare.parameters())
    assert count == sum(expected[name] for name in inputs)
    assert vertices_of(fed.eval(), poses()).isfinite().all()


@pytest.fixture(scope="module")
def knowing() -> CompactPose2Mesh:
    """A network of the union of joint sets, with all heads."""
    torch.manual_seed(0)
    settings = tiny_settings("coarse_to_fine") | {"joint_set": "union48", "output_set": "body32"}
    settings["lifter"] = settings["lifter"] | {"heads": True}
    network = build_network(settings)
    assert isinstance(network, CompactPose2Mesh)
    return network.eval()


def test_heads_give_deviations_and_a_body(knowing: CompactPose2Mesh) -> None:
    keypoints = torch.rand(3, 48, 3, generator=torch.Generator().manual_seed(1))
    found = knowing(keypoints)
    assert isinstance(found, UncertainPrediction)
    assert found.joints.shape == (3, 32, 3) and found.deviation.shape == (3, 32)
    assert (found.deviation > 0).all()
    rotations = found.parameters.rotations  # [3, 19, 3, 3]
    identity = torch.eye(3).expand(3, 19, 3, 3)
    torch.testing.assert_close(rotations @ rotations.transpose(-1, -2), identity, atol=1e-5, rtol=0)
    assert found.parameters.betas.shape == (3, 16)


def test_learning_deviations_does_not_change_the_features(knowing: CompactPose2Mesh) -> None:
    features = torch.rand(4, knowing.lifter.width, requires_grad=True)
    deviation = knowing.lifter.deviation(features)
    assert deviation is not None
    deviation.sum().backward()
    assert features.grad is None
