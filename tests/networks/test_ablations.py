"""The paper's ablations of MeshNet: their numbers of parameters, shapes, and what they start from."""

from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from pose2mesh.hierarchy.laplacian import skeleton_laplacian
from pose2mesh.networks.ablations import (
    DIRECT_PLAN,
    GRAPH_CHANNELS,
    GRAPH_WIDTH,
    PARAMETER_WIDTH,
    VERTEX_WIDTH,
    JointGraph,
    ParameterMeshHead,
    Perceptron,
    VertexHead,
)
from pose2mesh.networks.body_decoders import UPRIGHT_6D, BodyDecoder
from pose2mesh.networks.meshnet import BODY_PLAN, HAND_PLAN, narrowed
from pose2mesh.networks.prediction import BodyParameters, BodyPrediction
from pose2mesh.skeletons import joint_set

SMPL_NUMBERS = 24 * 6 + 10


def count(module: nn.Module) -> float:
    """Millions of weights."""
    return sum(p.numel() for p in module.parameters()) / 1e6


def test_numbers_of_parameters_are_the_paper_s() -> None:
    with torch.device("meta"):
        assert count(Perceptron(17, PARAMETER_WIDTH, SMPL_NUMBERS)) == pytest.approx(17.3, abs=0.05)
        assert count(Perceptron(17, VERTEX_WIDTH, 3 * 6890)) == pytest.approx(37.5, abs=0.05)
    laplacian = skeleton_laplacian(joint_set("human36m17"))
    graph = JointGraph(laplacian, GRAPH_CHANNELS, GRAPH_WIDTH, SMPL_NUMBERS)
    assert count(graph) == pytest.approx(13.5, abs=0.05)


def test_the_direct_plan_has_one_level_and_meshnet_s_ends() -> None:
    assert len(DIRECT_PLAN) == 3 and DIRECT_PLAN[0] == BODY_PLAN[0] and DIRECT_PLAN[-1] == BODY_PLAN[-1]


@pytest.mark.parametrize("plan", [BODY_PLAN, HAND_PLAN, DIRECT_PLAN])
def test_narrowed_plans_keep_their_ends_and_fit_together(plan) -> None:
    assert narrowed(plan, 1) == plan
    narrow = narrowed(plan, 32)
    assert narrow[0][0] == 5 and narrow[-1][-1] == 3 and len(narrow) == len(plan)
    assert all(after[0] == before[-1] for before, after in pairwise(narrow[1:]))
    assert min(width for block in narrow for width in block[1:-1]) >= 4


class Stick(BodyDecoder):
    """A body of three vertices: the columns of the root's rotation, scaled by the first shape component."""

    def __init__(self) -> None:
        body = SimpleNamespace(num_shape=3, faces=torch.zeros(1, 3), captured=(), bone_names=("root", "tip"))
        super().__init__(body, "smpl24")  # pyright: ignore[reportArgumentType]

    @staticmethod
    def rest_of(body: object) -> Tensor:
        return torch.tensor([UPRIGHT_6D] * 2)

    def joints(self, parameters: BodyParameters) -> Tensor:
        return self(parameters).joints

    def forward(self, parameters: BodyParameters) -> BodyPrediction:
        vertices = parameters.rotations[:, 0].transpose(1, 2) * (1 + parameters.betas[:, :1, None])
        return BodyPrediction(vertices, vertices, parameters)


class Constant(nn.Module):
    """Gives the same numbers for every sample."""

    def __init__(self, numbers: Tensor):
        super().__init__()
        self.numbers = numbers

    def forward(self, joints: Tensor) -> Tensor:
        return self.numbers.expand(len(joints), -1)


def test_parameters_count_from_an_upright_rest_pose() -> None:
    assert ParameterMeshHead.outputs(Stick()) == 2 * 6 + 3
    numbers = torch.zeros(15)
    head = ParameterMeshHead(Constant(numbers), Stick())
    torch.testing.assert_close(head(torch.zeros(4, 17, 5)), torch.diag(torch.tensor([1.0, -1, -1])).expand(4, 3, 3))
    numbers[12] = 1.0  # the first shape component
    assert head(torch.zeros(1, 17, 5))[0, 0, 0].item() == pytest.approx(2.0)


def test_vertices_come_in_threes() -> None:
    head = VertexHead(Constant(torch.arange(12.0)))
    torch.testing.assert_close(head(torch.zeros(1, 17, 5))[0, 1], torch.tensor([3.0, 4, 5]))


def test_a_joint_s_neighbors_reach_the_graph_encoder() -> None:
    """Chebyshev order 3: two bones away per layer, so five layers see the whole skeleton."""
    torch.manual_seed(0)
    graph = JointGraph(skeleton_laplacian(joint_set("human36m17")), (5, 4, 4, 4, 4, 4), 8, 6).eval()
    joints = torch.randn(1, 17, 5, requires_grad=True)
    graph(joints).square().sum().backward()
    assert joints.grad is not None and (joints.grad.abs().sum(2) > 0).all()
