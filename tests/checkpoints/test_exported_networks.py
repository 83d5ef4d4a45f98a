"""The exported files, read back by other runtimes, against the network itself."""

import json
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from pose2mesh.checkpoints import build_network, export, load_network
from pose2mesh.errors import InputError, MissingDependencyError
from pose2mesh.hierarchy import build_hierarchy
from pose2mesh.networks.coarse_to_fine import CoarseToFine
from pose2mesh.networks.compact import CompactPose2Mesh
from pose2mesh.networks.lifter import Lifter
from pose2mesh.skeletons import joint_set
from pose2mesh.training.config import NetworkConfig

JOINTS = joint_set("coco17")
needs_onnx = pytest.mark.skipif(
    not all(map(find_spec, ("onnx", "onnxscript", "onnxruntime"))), reason="onnx is not installed"
)


@pytest.fixture(scope="module")
def network():
    import trimesh

    ball = trimesh.creation.icosphere(2)
    hierarchy = build_hierarchy(ball.vertices, ball.faces, "qem", sizes=(60, 20, 8))
    torch.manual_seed(0)
    regressor = np.random.default_rng(0).dirichlet(np.ones(len(ball.vertices)), len(JOINTS))
    return CompactPose2Mesh(
        Lifter(len(JOINTS), len(JOINTS), width=16, blocks=1),
        CoarseToFine(hierarchy, 16, (6, 5), (1, 1), order=3, latent=4),
        sp.csr_matrix(hierarchy.upsample[0]),
        faces=ball.faces,
        joint_set="coco17",
        output_joint_names=JOINTS.joints,
        joint_regressor=regressor,
    ).eval()


@pytest.fixture(scope="module")
def onnx_file(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "ball.onnx"
    assert export.export_network(network, path) <= export.TOLERANCE
    return path


@needs_onnx
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_file_that_is_off_in_a_runtime_is_not_written(network, runtime, monkeypatch, tmp_path):
    pytest.importorskip(runtime)
    load = export.RUNTIMES[runtime]

    def shifted(model):
        run = load(model)
        return lambda keypoints: [output + 1e-4 for output in run(keypoints)]

    monkeypatch.setitem(export.RUNTIMES, runtime, shifted)
    with pytest.raises(InputError, match=f"off by 1.0e-04 m in {runtime}"):
        export.export_network(network, tmp_path / "ball.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", ["torch-export", pytest.param("onnx", marks=needs_onnx)])
def test_a_parameter_network_of_two_views_is_exported(format, tmp_path):
    settings = {"kind": "key2mesh", "lifter": {"width": 16, "blocks": 1}, "parameters": {"mirrored": True}}
    parameters = build_network(NetworkConfig.model_validate(settings).model_dump(mode="json"))
    assert export.export_network(parameters, tmp_path / "parameters", format) <= export.TOLERANCE


def test_every_part_of_a_network_stays_in_its_mode(network, tmp_path):
    network.mesh_head.train()
    modes = [module.training for module in network.modules()]
    try:
        export.export_network(network, tmp_path / "ball.pt2", "torch-export")
        assert [module.training for module in network.modules()] == modes
    finally:
        network.eval()


@needs_onnx
@pytest.mark.parametrize("batch", [1, 2, 5, 33])
def test_onnxruntime_agrees_at_any_batch_size(network, onnx_file, batch):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(onnx_file), providers=["CPUExecutionProvider"])
    keypoints = export.example_keypoints(network, batch, seed=100 + batch)
    vertices, joints = session.run(["vertices", "joints"], {"keypoints": keypoints.numpy()})
    with torch.no_grad():
        expected = network(keypoints)
    np.testing.assert_allclose(vertices, expected.vertices, atol=1e-5)
    np.testing.assert_allclose(joints, expected.joints, atol=1e-5)
    assert vertices.shape == (batch, 162, 3)


@needs_onnx
@pytest.mark.parametrize("batch", [1, 5])
def test_openvino_agrees_at_any_batch_size(network, onnx_file, batch):
    openvino = pytest.importorskip("openvino")
    keypoints = export.example_keypoints(network, batch, seed=100 + batch)
    model = openvino.Core().compile_model(str(onnx_file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    result = model(keypoints.numpy())
    with torch.no_grad():
        expected = network(keypoints)
    np.testing.assert_allclose(result["vertices"], expected.vertices, atol=1e-5)
    np.testing.assert_allclose(result["joints"], expected.joints, atol=1e-5)


@needs_onnx
def test_only_standard_operators_and_named_joints(onnx_file):
    import onnx

    model = onnx.load(onnx_file)
    onnx.checker.check_model(model)
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
    assert not model.functions
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert tuple(json.loads(metadata["input_joint_names"])) == JOINTS.joints
    batch = model.graph.input[0].type.tensor_type.shape.dim[0]
    assert batch.dim_param and not batch.dim_value  # a name, no size


def test_torch_export_program_read_back(network, tmp_path):
    path = tmp_path / "ball.pt2"
    assert export.export_network(network, path, "torch-export") <= export.TOLERANCE
    program = torch.export.load(path).module()
    for batch in (1, 7):
        keypoints = export.example_keypoints(network, batch, seed=batch)
        with torch.no_grad():
            torch.testing.assert_close(program(keypoints)[0], network(keypoints).vertices, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["anny-body", "anny-hand", "anny-key2mesh"])
def test_programs_of_shipped_networks_load(name, tmp_path):
    """`anny-body` gives more than is exported: parameters and deviations."""
    network = load_network(name)
    export.export_network(network, tmp_path / "network.pt2", "torch-export")
    keypoints = export.example_keypoints(network, 5, seed=5)
    with torch.no_grad():
        vertices, joints = torch.export.load(tmp_path / "network.pt2").module()(keypoints)
        expected = network(keypoints)
    torch.testing.assert_close(vertices, expected.vertices, rtol=0, atol=1e-5)
    torch.testing.assert_close(joints, expected.joints, rtol=0, atol=1e-5)


def test_the_program_that_is_read_back_is_compared(network, tmp_path, monkeypatch):
    read = SimpleNamespace(module=lambda: lambda keypoints: [output + 1e-3 for output in network(keypoints)])
    monkeypatch.setattr(torch.export, "load", lambda file: read)
    with pytest.raises(InputError, match=r"off by 1\.0e-03 m in torch"):
        export.export_network(network, tmp_path / "x.pt2", "torch-export")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_is_refused(network, tmp_path):
    with pytest.raises(InputError, match=r"'tflite'.*onnx, torch-export"):
        export.export_network(network, tmp_path / "x", "tflite")


def test_without_onnx_the_remedy_is_named(network, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"pose2mesh\[export\]"):
        export.export_network(network, tmp_path / "x.onnx")


def test_a_wrong_program_is_not_written(network, tmp_path, monkeypatch):
    runs = {"torch": lambda x: [o + 1e-3 for o in network(x)]}
    monkeypatch.setattr(export, "_to_torch", lambda program: (None, runs))
    with pytest.raises(InputError, match=r"off by 1\.0e-03 m"):
        export.export_network(network, tmp_path / "x.pt2", "torch-export")
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_cannot_be_traced_is_refused(tmp_path):
    class Breaks(torch.nn.Module):
        joint_set = "coco17"

        def forward(self, keypoints):
            raise RuntimeError("no way through")

    with pytest.raises(InputError, match=r"a Breaks cannot be exported \(no way through\)"):
        export.export_network(Breaks(), tmp_path / "out.pt2", "torch-export")
