"""The demo from its photo to the files, with a network whose answer is known."""

import numpy as np
import pytest
from fake_network import FlatNetwork
from PIL import Image

from pose2mesh.cli.main import main
from pose2mesh.pipeline import Pose2Mesh

pytest.importorskip("mediapipe", reason="mediapipe is not installed; pip install 'pose2mesh[detect]'")
pytest.importorskip("skimage", reason="scikit-image is not installed; pip install 'pose2mesh[demo]'")
pytestmark = pytest.mark.filterwarnings("ignore:SymbolDatabase")  # pytest undoes the package's own filter


def test_demo_writes_everything_and_says_where(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Pose2Mesh, "from_pretrained", lambda *_: Pose2Mesh(FlatNetwork()))
    assert main(["demo", "-o", f"{tmp_path}/out"]) == 0
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == ["input.png", "mesh.glb", "mesh.obj", "overlay.png", "result.npz", "side.png"]
    assert str(tmp_path / "out") in capsys.readouterr().out
    photo, overlay = (np.asarray(Image.open(tmp_path / "out" / f)) for f in ("input.png", "overlay.png"))
    assert photo.shape == overlay.shape == (512, 512, 3)
    assert (photo != overlay).any()


def test_demo_refuses_a_file_as_folder(tmp_path, capsys):
    (tmp_path / "out").write_text("mine")
    assert main(["demo", "-o", f"{tmp_path}/out"]) == 2
    assert (tmp_path / "out").read_text() == "mine"
    assert "is a file" in capsys.readouterr().err
