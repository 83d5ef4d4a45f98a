"""The paper's loss on annotated people: what is not valid does not count, edges start when the batch says so."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pose2mesh import plugins
from pose2mesh.losses import edge_loss, normal_loss
from pose2mesh.losses.classic import ClassicObjective
from pose2mesh.losses.targets import AnnotatedBatch
from pose2mesh.losses.terms import Compared, LossConfig
from pose2mesh.networks.prediction import MeshPrediction

FACES = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])
REGRESSOR = np.eye(2, 4)  # two joints that are the first two vertices
WEIGHTS = {"vertex": 1, "joint": 2, "mesh_joint": 3, "normal": 0.1, "edge": 20}


class Fixed(nn.Module):
    """A network that gives the same for everybody: four vertices, three lifted joints."""

    joint_set = "human36m17"

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.mesh = nn.Parameter(torch.randn(4, 3, generator=generator))
        self.pose = nn.Parameter(torch.randn(3, 3, generator=generator))

    def forward(self, keypoints: Tensor) -> MeshPrediction:
        return MeshPrediction(self.mesh.expand(len(keypoints), -1, -1), self.lift(keypoints))

    def lift(self, keypoints: Tensor) -> Tensor:
        return self.pose.expand(len(keypoints), -1, -1)


def batch(seed: int = 1, *, edges: bool = True, **valid) -> AnnotatedBatch:
    """Four people."""
    generator = torch.Generator().manual_seed(seed)
    lifted, joints, vertices = (torch.randn(4, n, 3, generator=generator) for n in (3, 2, 4))
    masks = {name: torch.tensor(valid.get(name, [True] * 4)) for name in ("lifted", "joints", "vertices")}
    return AnnotatedBatch(
        torch.rand(4, 17, 3), lifted, masks["lifted"], joints, masks["joints"], vertices, masks["vertices"],
        torch.tensor(edges),
    )  # fmt: skip


def objective(weights: dict[str, float] = WEIGHTS, *, lifting: bool = False) -> ClassicObjective:
    return ClassicObjective(Fixed(), LossConfig(**weights), FACES, REGRESSOR, lifting)  # type: ignore[arg-type]


def test_parts_are_means_over_what_is_valid() -> None:
    people = batch(lifted=[True, False, True, False], joints=[False, False, False, True], vertices=[True] + [False] * 3)
    loss = objective()
    total, parts = loss(people)
    network = loss.network
    expected = {
        "vertex": (network.mesh - people.vertices[0]).abs().mean(),
        "joint": (network.mesh[:2] - people.joints[3]).abs().mean(),
        "lift": (network.pose - people.lifted[[0, 2]]).abs().mean(),
        "normal": normal_loss(network.mesh[None], people.vertices[:1], torch.from_numpy(FACES)),
        "edge": edge_loss(network.mesh[None], people.vertices[:1], torch.from_numpy(FACES)),
    }
    for name, value in expected.items():
        torch.testing.assert_close(parts[name], value.detach())
    weighted = parts["vertex"] + 3 * parts["joint"] + 2 * parts["lift"] + 0.1 * parts["normal"] + 20 * parts["edge"]
    torch.testing.assert_close(total.detach(), weighted)


@pytest.mark.parametrize(
    ("name", "part"),
    [("vertex", "vertex"), ("mesh_joint", "joint"), ("joint", "lift"), ("normal", "normal"), ("edge", "edge")],
)
def test_each_weight_scales_its_own_term(name: str, part: str) -> None:
    total, parts = objective(dict.fromkeys(WEIGHTS, 0.0) | {name: 5.0})(batch())
    torch.testing.assert_close(total.detach(), 5 * parts[part])


def test_edges_count_from_their_step_on() -> None:
    loss = objective()
    (before, without), (after, with_edges) = (loss(batch(edges=edges)) for edges in (False, True))
    assert "edge" not in without and with_edges["edge"] > 0
    torch.testing.assert_close(after - before, 20 * with_edges["edge"])


def far(predicted: Compared, true: Compared) -> Tensor:
    """A plug-in's loss."""
    assert predicted.vertices is not None and true.vertices is not None
    return (predicted.vertices - true.vertices).norm(dim=-1).mean()


@pytest.mark.parametrize("added", [{}, {"far": 1.0}])
def test_a_batch_without_anything_valid_moves_nothing(added: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "_registered", {kind: dict(of) for kind, of in plugins._registered.items()})
    plugins.register("loss", "far", far)
    nobody = [False] * 4
    loss = objective(WEIGHTS | added)
    total, parts = loss(batch(lifted=nobody, joints=nobody, vertices=nobody))
    total.backward()
    assert total.item() == 0 and parts.keys() >= added.keys()  # every process has the same parts
    assert all(p.grad is None or not p.grad.any() for p in loss.parameters())


def test_lifting_alone_looks_at_nothing_else() -> None:
    people = batch(vertices=[False] * 4)
    total, parts = objective({"joint": 2.0}, lifting=True)(people._replace(vertices=torch.zeros(4, 0, 3)))
    assert parts.keys() == {"lift"} and total.item() == pytest.approx(2 * parts["lift"].item())


def test_the_faces_are_not_saved() -> None:
    assert objective().state_dict().keys() == {"network.mesh", "network.pose"}
