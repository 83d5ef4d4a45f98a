"""Features of the landmark network: its own points beside the layer that they come from."""

import numpy as np
import pytest
import torch

from pose2mesh.detectors.landmark_features import FEATURES, NETWORK, landmark_features
from pose2mesh.detectors.sessions import read_network

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def test_the_points_follow_from_the_layer_by_the_last_convolution():
    crops = torch.randint(0, 256, (2, 224, 224, 3), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    seen = landmark_features(crops)
    assert seen.shape == (2, FEATURES) and seen.dtype == torch.float32
    graph = onnx.load_from_string(read_network(NETWORK)).graph
    constants = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    made = {name: node for node in graph.node for name in node.output}
    last = next(node for node in graph.node if node.op_type == "Conv" and "convld_3d" in node.output[0])

    def value(name: str) -> torch.Tensor:
        while name in made:  # stored in half precision and cast
            name = made[name].input[0]
        return torch.from_numpy(constants[name].astype(np.float32))

    weight, bias = (value(name) for name in last.input[1:])
    points = torch.nn.functional.conv2d(seen[:, 195:].reshape(2, 288, 2, 2), weight, bias)
    torch.testing.assert_close(points.flatten(1), seen[:, :195], atol=1e-2, rtol=1e-4)


def test_crops_are_seen_one_by_one():
    crops = torch.randint(0, 256, (2, 224, 224, 3), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    torch.testing.assert_close(landmark_features(crops)[1:], landmark_features(crops[1:]), atol=1e-3, rtol=1e-3)
