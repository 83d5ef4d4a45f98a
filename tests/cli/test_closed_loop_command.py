"""`pose2mesh test` with `protocol: closed_loop`, on scenes that need no motion data and a model that is right."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pose2mesh import paths
from pose2mesh.body_models import load_anny_body
from pose2mesh.cli.main import main
from pose2mesh.detectors.readers import read_keypoints
from pose2mesh.errors import NoPersonFoundError
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.synthesis import studio
from pose2mesh.synthesis.hand_studio import HandStudio
from tests.tiny_pack import write_pack


@pytest.fixture
def scene(monkeypatch):
    """One scene that is recovered exactly, then one in which nobody is found."""
    scene = studio.figure_scene(load_anny_body(), "stride", 40.0)
    answers = iter([[scene.truth], None])

    class Model:
        def predict(self, image, detector):
            if (people := next(answers)) is None:
                raise NoPersonFoundError("nobody")
            return people

    monkeypatch.setattr(Pose2Mesh, "from_pretrained", lambda *_: Model())
    monkeypatch.setattr(studio, "protocol_scenes", lambda protocol, workers: [scene, scene])
    return scene


def _config(tmp_path):
    path = tmp_path / "config.yaml"
    motion = write_pack(tmp_path / "motion.npz")  # the protocol opens it; the scenes stand in for its frames
    path.write_text(f"protocol: closed_loop\ndata:\n  motion: {motion}\n")
    return str(path)


@pytest.mark.filterwarnings("ignore:SymbolDatabase")
def test_the_closed_loop_prints_a_table_and_writes_metrics_and_pictures(scene, tmp_path, capsys):
    pytest.importorskip("mediapipe", reason="mediapipe is not installed; pip install 'pose2mesh[mediapipe]'")
    out, pictures, detected = tmp_path / "metrics.json", tmp_path / "pictures", tmp_path / "detected.json"
    files = ["--json", str(out), "--pictures", str(pictures), "--keypoints", str(detected)]
    assert main(["test", "--config", _config(tmp_path), *files]) == 0
    (frame,) = read_keypoints(detected)  # nobody was found in the second scene
    np.testing.assert_allclose(frame.keypoints.points[0], scene.truth.keypoints[:, :2], atol=1e-2)
    metrics = json.loads(out.read_text())["closed_loop"]
    assert metrics["pa_mpvpe"] == pytest.approx(0, abs=0.1)
    assert metrics["detected"] == 0.5
    assert metrics["count"] == 2
    printed = capsys.readouterr().out
    assert "PA-MPVPE" in printed
    assert "(median)" in printed
    assert "silhouette_iou" in printed
    sheet = np.asarray(Image.open(pictures / "closed_loop_00.png"))
    assert sheet.shape == (272, 2120, 3)


@pytest.mark.filterwarnings("ignore:SymbolDatabase")
def test_the_closed_loop_of_hands(tmp_path, monkeypatch, capsys):
    pytest.importorskip("mediapipe", reason="mediapipe is not installed; pip install 'pose2mesh[mediapipe]'")
    scene = HandStudio().gesture_scene("letters", "l", "left")
    mistaken = replace(scene.truth, handedness="right")
    answers = iter([[scene.truth], None, [mistaken, scene.truth]])

    class Model:
        def predict(self, image, detector):
            if (hands := next(answers)) is None:
                raise NoPersonFoundError("no hand")
            return hands

    monkeypatch.setattr(Pose2Mesh, "from_pretrained", lambda *_: Model())
    monkeypatch.setattr(HandStudio, "scenes", lambda *_: [scene] * 3)
    out, pictures = tmp_path / "metrics.json", tmp_path / "pictures"
    config = str(paths.asset("configs/test_hand_closed_loop.yaml"))
    assert main(["test", "--config", config, "--json", str(out), "--pictures", str(pictures)]) == 0
    metrics = json.loads(out.read_text())["hand_closed_loop"]
    assert metrics["pa_mpvpe"] == pytest.approx(0, abs=0.1)
    assert metrics["detected"] == pytest.approx(2 / 3)
    assert (metrics["right_side"], metrics["f_at_5"]) == (0.5, 1.0)
    assert metrics["false_finds"] == pytest.approx(1 / 3)
    assert metrics["groups"]["left"]["count"] == 3
    assert "right_side" in capsys.readouterr().out
    assert (pictures / "closed_loop_00.png").exists()


def test_pictures_belong_to_the_closed_loop(tmp_path, capsys):
    (tmp_path / "config.yaml").write_text("protocol: mocap\n")
    assert main(["test", "--config", f"{tmp_path}/config.yaml", "--pictures", f"{tmp_path}/p"]) == 2
    assert "protocol=closed_loop" in capsys.readouterr().err


def test_the_shipped_configuration_is_the_closed_loop():
    from pose2mesh.evaluation.config import TestConfig
    from pose2mesh.settings import load_config

    config = load_config(TestConfig, paths.asset("configs/test_closed_loop.yaml"), [])
    assert (config.protocol, config.limit) == ("closed_loop", 100)
