import numpy as np
import pytest
import torch
import trimesh

from pose2mesh.errors import InputError
from pose2mesh.hierarchy import build_hierarchy
from pose2mesh.networks.meshnet import BODY_PLAN, MeshNet
from pose2mesh.networks.pose2mesh import ClassicPose2Mesh, normalize_per_axis
from pose2mesh.networks.posenet import PoseNet

PLAN = ((5, 4, 3), (3, 4, 7), (7, 7, 7), (7, 6, 2), (2, 5, 3))  # three levels
JOINTS = 17


@pytest.fixture(scope="module")
def hierarchy():
    sphere = trimesh.creation.icosphere(subdivisions=2)
    return build_hierarchy(
        np.asarray(sphere.vertices), np.asarray(sphere.faces), "hem", levels=5, joint_set="human36m17"
    )


@pytest.fixture
def network(hierarchy) -> ClassicPose2Mesh:
    meshnet = MeshNet.from_hierarchy(hierarchy, PLAN, keeps_fake_rows=True)  # as published
    return ClassicPose2Mesh(PoseNet(JOINTS, width=8), meshnet).eval()


def keypoints(batch: int = 3) -> torch.Tensor:
    return 400 + 100 * torch.randn(batch, JOINTS, 2)


def test_shapes_and_units(network, hierarchy):
    points = keypoints()
    prediction = network(points)
    assert prediction.vertices.shape == (3, hierarchy.num_vertices, 3)
    lifted = network.pose_lifter(normalize_per_axis(points))  # mm
    torch.testing.assert_close(prediction.joints, 0.001 * lifted)
    joints = torch.cat([normalize_per_axis(points), 0.001 * lifted], dim=-1)
    torch.testing.assert_close(prediction.vertices, network.pose2mesh(joints))


@pytest.mark.parametrize(("inputs", "used"), [("2d", (0, 1)), ("3d", (2, 3, 4)), ("both", (0, 1, 2, 3, 4))])
def test_the_mesh_sees_its_inputs_alone(hierarchy, inputs: str, used: tuple[int, ...]):
    meshnet = MeshNet.from_hierarchy(hierarchy, ((len(used), 4, 3), *PLAN[1:]), keeps_fake_rows=True)
    network, points = ClassicPose2Mesh(PoseNet(JOINTS, width=8), meshnet, inputs).eval(), keypoints()
    columns = torch.cat([normalize_per_axis(points), network.lift(points)], dim=-1)[..., list(used)]
    torch.testing.assert_close(network(points).vertices, meshnet(columns))


def test_the_confidence_is_not_used(network):
    points = keypoints()
    with_confidence = torch.cat([points, torch.rand(3, JOINTS, 1)], dim=-1)
    torch.testing.assert_close(network(with_confidence).vertices, network(points).vertices, rtol=0, atol=0)


def test_position_and_size_in_the_image_do_not_matter(network):
    points = keypoints()
    moved = points * torch.tensor([3.0, 0.5]) + torch.tensor([-200.0, 900.0])
    torch.testing.assert_close(network(moved).vertices, network(points).vertices, rtol=1e-4, atol=1e-4)


def test_the_mesh_does_not_teach_the_lifter(network):
    network.train()
    prediction = network(keypoints())
    prediction.vertices.sum().backward(retain_graph=True)
    assert all(parameter.grad is None for parameter in network.pose_lifter.parameters())
    prediction.joints.square().sum().backward()
    assert network.pose_lifter.w1.weight.grad is not None


def test_the_prefixes_are_those_of_the_published_checkpoints(network):
    assert {name.split(".")[0] for name in network.state_dict()} == {"pose_lifter", "pose2mesh"}


def test_the_graphs_come_from_the_hierarchy_coarse_to_fine(network, hierarchy):
    operators = network.pose2mesh.operators
    assert [operator.shape[0] for operator in operators] == [JOINTS, *hierarchy.sizes[2::-1]]
    expected = [hierarchy.joint_laplacian.toarray()]  # not scaled
    for level in (2, 1, 0):
        laplacian = hierarchy.laplacians[level].toarray()
        largest = np.linalg.eigvalsh(laplacian)[-1]
        expected.append(laplacian / (2 * largest) - np.eye(len(laplacian)))
    for operator, matrix in zip(operators, expected, strict=True):
        columns = operator.matmul(torch.eye(operator.shape[0])[None])[0]
        np.testing.assert_allclose(columns.numpy(), matrix, atol=1e-6)


def test_vertices_come_out_in_the_order_of_the_mesh(network, hierarchy):
    assert (hierarchy.permutation[network.pose2mesh.inverse] == np.arange(hierarchy.num_vertices)).all()


def test_a_hierarchy_that_does_not_fit_is_refused(hierarchy):
    with pytest.raises(InputError, match="needs 8"):
        MeshNet.from_hierarchy(hierarchy, BODY_PLAN)
    sphere = trimesh.creation.icosphere(subdivisions=1)
    without_joints = build_hierarchy(np.asarray(sphere.vertices), np.asarray(sphere.faces), "hem", levels=3)
    with pytest.raises(InputError, match="no joint graph"):
        MeshNet.from_hierarchy(without_joints, PLAN)


def test_normalization_gives_zero_mean_and_unit_deviation_per_axis():
    normalized = normalize_per_axis(keypoints(5)).numpy()
    np.testing.assert_allclose(normalized.mean(1), 0, atol=1e-5)
    np.testing.assert_allclose(normalized.std(1), 1, atol=1e-5)  # numpy's default is the population's


@pytest.mark.parametrize("place", [0.0, 0.1, 1234.567, -3e4])
def test_equal_coordinates_become_zero(place):
    points = keypoints(2)
    points[..., 1] = place
    normalized = normalize_per_axis(points)
    assert (normalized[..., 1] == 0).all()
    np.testing.assert_allclose(normalized[..., 0].numpy().std(1), 1, atol=1e-5)
    points.requires_grad_()
    normalize_per_axis(points).pow(3).sum().backward()
    assert points.grad.isfinite().all()
