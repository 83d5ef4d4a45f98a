"""The restated original and the PyTorch Geometric variant against the network whose weights they take."""

import pytest
import torch
from small_classic import PLAN, SMALL_DIRECT_PLAN, small_classic

from pose2mesh.benchmarks.original import CooConvolution, OriginalPose2Mesh, PygConvolution

CONVOLUTIONS = [CooConvolution, PygConvolution]


@pytest.mark.parametrize("convolution", CONVOLUTIONS)
@pytest.mark.parametrize("is_training", [False, True])
@pytest.mark.parametrize("plan", [PLAN, SMALL_DIRECT_PLAN], ids=["coarse to fine", "direct"])
def test_same_output_from_the_same_weights(convolution, is_training, plan):
    network = small_classic(plan)
    restated = OriginalPose2Mesh(network, convolution)
    network.train(is_training), restated.train(is_training)
    keypoints = torch.rand(4, 19, 3)
    torch.manual_seed(1)  # of the dropout
    expected = network(keypoints)
    torch.manual_seed(1)
    got = restated(keypoints)
    scale = expected.vertices.abs().max().item()
    torch.testing.assert_close(got.vertices, expected.vertices, rtol=0, atol=1e-5 * scale)
    torch.testing.assert_close(got.joints, expected.joints)


def test_same_gradient():
    network, keypoints = small_classic().eval(), torch.rand(2, 19, 3)
    restated = OriginalPose2Mesh(network).eval()
    weight = network.pose2mesh.cl[0].weight
    gradients = [torch.autograd.grad(n(keypoints).vertices.square().mean(), weight)[0] for n in (network, restated)]
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-5 * gradients[0].abs().max().item())
