import pytest
import torch

from pose2mesh.losses import (
    MeshLoss,
    MeshLossWeights,
    MeshTarget,
    edge_loss,
    joint_loss,
    lifting_loss,
    normal_loss,
    vertex_loss,
)

FACES = torch.tensor([[0, 1, 2], [0, 2, 3], [1, 3, 2]])


def random_inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, MeshTarget]:
    vertices, joints, lifted = torch.randn(2, 4, 3), torch.randn(2, 5, 3), torch.randn(2, 6, 3)
    return (
        vertices,
        joints,
        lifted,
        MeshTarget(torch.randn(2, 4, 3), torch.randn(2, 5, 3), torch.randn(2, 6, 3)),
    )


def test_the_paper_s_weights():
    vertices, joints, lifted, target = random_inputs()
    terms = MeshLoss(FACES)(vertices, joints, lifted, target, epoch=7)
    expected = (
        vertex_loss(vertices, target.vertices)
        + 0.1 * normal_loss(vertices, target.vertices, FACES)
        + 20 * edge_loss(vertices, target.vertices, FACES)
        + 1e-3 * joint_loss(1000 * joints, 1000 * target.joints)  # the original's units: millimetres
        + 1e-3 * lifting_loss(1000 * lifted, 1000 * target.lifted)
    )
    torch.testing.assert_close(terms["total"], expected)


def test_the_edge_term_waits_for_its_epoch():
    loss = MeshLoss(FACES, edge_start_epoch=3)
    vertices, joints, lifted, target = random_inputs()
    before, after = (loss(vertices, joints, lifted, target, epoch=epoch) for epoch in (2, 3))
    assert "edge" not in before
    torch.testing.assert_close(after["total"] - before["total"], 20 * after["edge"])


@pytest.mark.parametrize("name", ["vertex", "joint", "normal", "edge", "lift"])
def test_each_weight_scales_its_own_term(name):
    zero = dict.fromkeys(("vertex", "joint", "normal", "edge", "lift"), 0.0)
    weights = MeshLossWeights(**{**zero, name: 3.0})
    vertices, joints, lifted, target = random_inputs()
    terms = MeshLoss(FACES, weights)(vertices, joints, lifted, target, epoch=9)
    torch.testing.assert_close(terms["total"], 3 * terms[name])


def test_the_masks_reach_their_terms():
    vertices, joints, lifted, target = random_inputs()
    nothing = torch.zeros(2)
    masked = target._replace(vertices_valid=nothing, joints_valid=nothing, lifted_valid=nothing)
    assert MeshLoss(FACES)(vertices, joints, lifted, masked, epoch=9)["total"] == 0
    lifted_only = masked._replace(lifted_valid=None)
    total = MeshLoss(FACES)(vertices, joints, lifted, lifted_only, epoch=9)["total"]
    torch.testing.assert_close(total, lifting_loss(lifted, target.lifted))


def test_the_faces_are_not_saved():
    assert MeshLoss(FACES).state_dict() == {}
