"""The code of the tutorials runs as it is printed; only trainings are shortened."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pages import DOCS, run_page


@dataclass(frozen=True)
class Tutorial:
    """What a page needs, how its commands are shortened, what it leaves behind and what it prints."""

    needs: tuple[str, ...]
    files: tuple[str, ...]
    says: str
    small: dict[str, tuple[str, ...]] = field(default_factory=dict)
    prepare: Callable[[Path, pytest.MonkeyPatch], None] = lambda folder, patch: None


TUTORIALS = {
    "photo": Tutorial(
        needs=("onnxruntime", "skimage"),
        files=("out/photo.html", "out/photo.npz", "out/photo_0.glb", "out/photo_0_side.png", "out/photo_overlay.png"),
        says="not in the picture, within",
    ),
    "video_to_character": Tutorial(
        needs=("av", "pygltflib", "pybvh", "onnxruntime"),
        files=("out/walk/animation.glb", "out/walk/animation_1.bvh", "walk.glb", "walk.npz", "walk_1.bvh"),
        says="above the ground",
    ),
    "keypoints": Tutorial(needs=(), files=("out/pose.npz", "out/pose_0.glb"), says="torch.Size([10, 13718, 3])"),
}


def test_every_tutorial_is_run():
    assert {path.stem for path in (DOCS / "tutorials").glob("*.md")} == set(TUTORIALS)


@pytest.mark.parametrize("name", TUTORIALS)
def test_code_runs(name, tmp_path, monkeypatch, capsys):
    tutorial = TUTORIALS[name]
    for package in tutorial.needs:
        pytest.importorskip(package, reason=f"{package} is not installed, which the page on {name} says to install")
    monkeypatch.chdir(tmp_path)
    tutorial.prepare(tmp_path, monkeypatch)
    run_page(f"tutorials/{name}.md", tutorial.small)
    missing = [file for file in tutorial.files if not (tmp_path / file).stat().st_size]
    assert missing == []
    assert tutorial.says in capsys.readouterr().out
