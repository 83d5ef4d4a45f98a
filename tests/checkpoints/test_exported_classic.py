"""The classic network through ONNX, at more samples than one micro-batch, in ONNX Runtime and OpenVINO."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
import trimesh

from pose2mesh.checkpoints import export
from pose2mesh.hierarchy import build_hierarchy
from pose2mesh.networks.classic_body import ClassicBody
from pose2mesh.networks.meshnet import MeshNet
from pose2mesh.networks.pose2mesh import ClassicPose2Mesh
from pose2mesh.networks.posenet import PoseNet
from pose2mesh.ops import memory
from pose2mesh.skeletons import joint_set

JOINTS = joint_set("coco19")
PLAN = ((5, 4, 6), (6, 4, 7), (7, 7, 7), (7, 6, 2), (2, 5, 3))
needs_onnx = pytest.mark.skipif(
    not (find_spec("onnx") and find_spec("onnxscript")), reason="onnx is not installed: pip install 'pose2mesh[export]'"
)
pytestmark = [pytest.mark.slow, needs_onnx]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A network on a ball and its ONNX file; micro-batches of one sample, as with a whole body."""
    ball = trimesh.creation.icosphere(2)
    torch.manual_seed(0)
    meshnet = MeshNet.from_hierarchy(
        build_hierarchy(ball.vertices, ball.faces, "hem", levels=3, joint_set="coco19"), PLAN
    )
    network = ClassicBody(
        ClassicPose2Mesh(PoseNet(19, width=32), meshnet),
        faces=ball.faces,
        joint_set="coco19",
        output_joint_names=JOINTS.joints,
    ).eval()
    path = tmp_path_factory.mktemp("export") / "classic.onnx"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "_ROWS", 1)
        export.export_network(network, path)
    return network, path


def expected_of(network, batch: int) -> tuple[np.ndarray, np.ndarray]:
    keypoints = export.example_keypoints(network, batch, seed=100 + batch)
    with torch.no_grad():
        return keypoints.numpy(), network(keypoints).vertices.numpy()


@pytest.mark.parametrize("batch", [1, 5])
def test_onnxruntime(exported, batch):
    onnxruntime = pytest.importorskip("onnxruntime")
    network, path = exported
    keypoints, expected = expected_of(network, batch)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (vertices,) = session.run(["vertices"], {"keypoints": keypoints})
    np.testing.assert_allclose(vertices, expected, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 5])
def test_openvino(exported, batch):
    openvino = pytest.importorskip("openvino")
    network, path = exported
    keypoints, expected = expected_of(network, batch)
    model = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    np.testing.assert_allclose(model(keypoints)["vertices"], expected, atol=1e-5)
