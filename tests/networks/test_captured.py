"""When a network is captured, and when it is called as it is; the capture itself is tested on a GPU."""

import pytest
import torch
from torch import nn

from pose2mesh.networks import captured
from pose2mesh.networks.captured import CapturedNetwork
from pose2mesh.networks.prediction import BodyParameters, MeshPrediction, UncertainPrediction
from pose2mesh.ops import use_backend


class Doubling(nn.Module):
    """Counts its calls."""

    calls = 0

    def forward(self, x):
        self.calls += 1
        return MeshPrediction(2 * x, x)


@pytest.fixture
def network(monkeypatch):
    monkeypatch.setattr(CapturedNetwork, "_is_on_device", staticmethod(lambda x: x.device.type == "cpu"))
    return Doubling().eval()


@pytest.fixture
def captures():
    return []


@pytest.fixture
def capture(captures):
    """A capture without CUDA: its replay marks the result."""

    def make(network, example):
        captures.append(tuple(example.shape))
        return lambda x: MeshPrediction(3 * x, x)

    return make


@torch.no_grad()
def test_one_capture_for_each_shape(network, capture, captures):
    call = CapturedNetwork(network, capture=capture)
    for batch in (1, 2, 1, 2):
        x = torch.ones(batch, 4, 3)
        assert torch.equal(call(x).vertices, 3 * x)
    assert captures == [(1, 4, 3), (2, 4, 3)] and network.calls == 0
    call.reset()
    call(torch.ones(1, 4, 3))
    assert captures[2:] == [(1, 4, 3)]


@torch.no_grad()
def test_what_changes_the_arithmetic_has_a_graph_of_its_own(network, capture, captures):
    call, x = CapturedNetwork(network, capture=capture), torch.ones(1, 4, 3)
    call(x)
    with use_backend("reference"):
        call(x)
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = not before
    try:
        call(x)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
    call(x.double())
    assert len(captures) == 4


def test_plain_calls(network, capture, captures):
    call, x = CapturedNetwork(network, largest_batch=2, capture=capture), torch.ones(1, 4, 3)
    assert torch.equal(call(x).vertices, 2 * x)  # gradients are on
    with torch.no_grad():
        call(torch.ones(3, 4, 3))  # too many
        call(torch.ones(0, 4, 3))
        network.train()
        call(x)
    assert network.calls == 4 and captures == []


@torch.no_grad()
def test_the_cpu_is_never_captured(capture, captures):
    network = Doubling().eval()
    assert torch.equal(CapturedNetwork(network, capture=capture)(torch.ones(1, 4, 3)).vertices, 2 * torch.ones(1, 4, 3))
    assert captures == [] and network.calls == 1


@torch.no_grad()
def test_graphs_not_used_for_long_are_dropped(network, capture, captures):
    call = CapturedNetwork(network, most_graphs=2, capture=capture)
    for batch in (1, 2, 1, 3, 1, 2):
        call(torch.ones(batch, 4, 3))
    assert [shape[0] for shape in captures] == [1, 2, 3, 2]


@torch.no_grad()
def test_a_failed_capture_is_said_once_and_not_tried_again(network, caplog):
    attempts = []

    def fail(network, example):
        attempts.append(1)
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    call, x = CapturedNetwork(network, capture=fail), torch.ones(1, 4, 3)
    for _ in range(2):
        assert torch.equal(call(x).vertices, 2 * x)
    assert len(attempts) == 1 and network.calls == 2
    (record,) = caplog.records
    assert record.getMessage().endswith("operation not permitted when stream is capturing")


def test_the_default_is_a_cuda_graph(network):
    assert CapturedNetwork(network)._capture is captured.capture_cuda_graph


def test_a_copy_is_the_same_kind_of_prediction_in_other_memory():
    parameters = BodyParameters(torch.rand(2, 3, 3, 3), torch.rand(2, 4))
    result = UncertainPrediction(torch.rand(2, 5, 3), torch.rand(2, 6, 3), torch.rand(2, 6), parameters)
    copy = captured.copied(result)
    torch.testing.assert_close(copy, result)
    assert isinstance(copy, UncertainPrediction) and isinstance(copy.parameters, BodyParameters)
    assert copy.vertices.data_ptr() != result.vertices.data_ptr()
    assert copy.parameters.betas.data_ptr() != parameters.betas.data_ptr()
