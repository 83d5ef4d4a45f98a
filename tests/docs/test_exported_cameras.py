"""The lines of docs/kernels.md around an exported network answer as `predict` does, wherever in the picture one is."""

import numpy as np
import pytest
from pages import DOCS

from pose2mesh import Pose2Mesh
from pose2mesh.body_models import load_anny_body
from pose2mesh.checkpoints.export import export_network
from pose2mesh.skeletons import convert

FOCAL, CENTER = 1000.0, (2000.0, 540.0)


@pytest.fixture(scope="module")
def model():
    return Pose2Mesh.from_pretrained("anny-key2mesh")


@pytest.fixture(scope="module")
def session(model, tmp_path_factory):
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package)
    onnxruntime = pytest.importorskip("onnxruntime")
    path = tmp_path_factory.mktemp("export") / "network.onnx"
    export_network(model.network, path)
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def seen_beside_the_axis(degrees: float) -> np.ndarray:
    """Keypoints [17, 3] of a body 4 m away that stands so far beside the optical axis, one joint missing."""
    body = load_anny_body()
    joints = body.joint_regressor("coco17") @ body.v_template.numpy() * [1, -1, -1]  # y up to the camera's y down
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    seen = (joints - joints.mean(0) + [0, 0, 4]) @ turn.T
    sure = np.arange(len(seen)) > 0
    return np.column_stack([seen[:, :2] / seen[:, 2:] * FOCAL + CENTER, sure]) * sure[:, None]


@pytest.mark.parametrize("degrees", [0, 20, 40])
def test_the_lines_of_the_page_answer_as_predict_does(degrees, model, session):
    (code,) = [part for part in (DOCS / "kernels.md").read_text().split("```") if "def answer(" in part]
    names = {}
    exec(code.removeprefix("python\n"), names)
    keypoints = seen_beside_the_axis(degrees)
    intrinsics = {"fx": FOCAL, "fy": FOCAL, "cx": CENTER[0], "cy": CENTER[1]}
    (person,) = model.predict(keypoints, "coco17", intrinsics=intrinsics, image_size=(4000, 1080), fit=False)
    points, confidence = convert(keypoints[:, :2], keypoints[:, 2], "coco17", model.network.joint_set)
    vertices, joints = names["answer"](session, np.column_stack([points, confidence]), FOCAL, CENTER)
    np.testing.assert_allclose(vertices, person.vertices, atol=1e-4)
    np.testing.assert_allclose(joints, person.joints, atol=1e-4)


def test_the_file_says_whose_axes_they_are(session):
    said = session.get_modelmeta().custom_metadata_map
    assert "of a camera aimed at" in said["output"] and "turn the answer back" in said["camera"]
