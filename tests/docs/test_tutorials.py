"""The code of the tutorials runs as it is printed, block after block."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "tutorials"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", ["video_to_character.md"])
def test_code_runs(page, tmp_path, monkeypatch, capsys):
    for package in ("av", "pygltflib", "pybvh", "onnxruntime"):
        pytest.importorskip(package, reason=f"{package} is not installed; pip install 'pose2mesh[detect,motion,video]'")
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall((FOLDER / page).read_text())
    assert len(blocks) >= 3
    names: dict = {}
    for block in blocks:
        code = compile(block, page, "exec")
        exec(code, names)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["walk.glb", "walk.mp4", "walk.npz", "walk_1.bvh"]
    assert "above the ground" in capsys.readouterr().out
