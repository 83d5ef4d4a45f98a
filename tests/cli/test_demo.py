"""The demo from its two pictures to the files, with a network whose answer is known."""

import sys

import numpy as np
import pytest
from fake_network import FlatNetwork
from PIL import Image

from pose2mesh.body_models import load_anny_body
from pose2mesh.cli.demo import HANDS, YAW_DEGREES, recover_hands, recover_scene
from pose2mesh.cli.main import main
from pose2mesh.pipeline import Pose2Mesh
from pose2mesh.synthesis.hand_studio import HandStudio
from pose2mesh.synthesis.studio import figure_scene

pytest.importorskip("mediapipe", reason="mediapipe is not installed; pip install 'pose2mesh[mediapipe]'")
pytestmark = pytest.mark.filterwarnings("ignore:SymbolDatabase")  # pytest undoes the package's own filter


PHOTO_FILES = ["input.png", "mesh.glb", "mesh.obj", "overlay.png", "result.npz", "side.png", "summary.png"]
SCENE_FILES = ["scene_input.png", "scene_overlay.png", "scene_side.png"]


@pytest.fixture(autouse=True)
def _flat_network(monkeypatch):
    monkeypatch.setattr(Pose2Mesh, "from_pretrained", lambda *_: Pose2Mesh(FlatNetwork()))


def test_demo_writes_everything_and_says_where(tmp_path, capsys):
    pytest.importorskip("skimage", reason="scikit-image is not installed; pip install 'pose2mesh[demo]'")
    assert main(["demo", "-o", f"{tmp_path}/out"]) == 0
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == sorted(PHOTO_FILES + SCENE_FILES)
    assert str(tmp_path / "out") in capsys.readouterr().out
    for start in ("", "scene_"):
        names = (f"{start}input.png", f"{start}overlay.png")
        picture, overlay = (np.asarray(Image.open(tmp_path / "out" / name)) for name in names)
        assert picture.shape == overlay.shape == (512, 512, 3)
        assert (picture != overlay).any()


def test_without_scikit_image_the_scene_remains(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.data", None)  # importing it raises ImportError
    assert main(["demo", "-o", f"{tmp_path}/out"]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == SCENE_FILES
    assert "pose2mesh[demo]" in capsys.readouterr().out


def test_the_error_of_the_true_mesh_is_zero(tmp_path, capsys, monkeypatch):
    scene = figure_scene(load_anny_body(), "greet", YAW_DEGREES)
    monkeypatch.setattr(Pose2Mesh, "predict", lambda *_: [scene.truth])
    recover_scene(Pose2Mesh(FlatNetwork()), tmp_path)
    assert "0.0 mm from the true mesh" in capsys.readouterr().out


def test_demo_refuses_a_file_as_folder(tmp_path, capsys):
    (tmp_path / "out").write_text("mine")
    assert main(["demo", "-o", f"{tmp_path}/out"]) == 2
    assert (tmp_path / "out").read_text() == "mine"
    assert "is a file" in capsys.readouterr().err


def test_the_hands_of_the_demo(tmp_path, capsys):
    studio = HandStudio()
    truths = iter([[studio.gesture_scene(*hand).truth] for hand in HANDS])

    class Right:
        def predict(self, image):
            return next(truths)

    recover_hands(Right(), tmp_path)
    endings = (".glb", ".npz", "_input.png", "_overlay.png", "_side.png")
    files = sorted(f"hand_{side}{ending}" for side in ("left", "right") for ending in endings)
    assert sorted(path.name for path in tmp_path.iterdir()) == files
    assert capsys.readouterr().out.count("0.0 mm from the true mesh") == 2
