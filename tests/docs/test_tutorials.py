"""The code of the tutorials runs as it is printed; only trainings are shortened."""

import dataclasses
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import annotation_files
import pytest
from annotation_bodies import write_bodies
from annotation_pw3d import write_pw3d
from lenient_fits import set_misfits
from pages import DOCS, run_page

sys.path.append(str(Path(__file__).resolve().parents[1] / "checkpoints"))
from official_files import random_state, shapes, write_official

from pose2mesh.checkpoints import official
from pose2mesh.networks.meshnet import narrowed


@dataclass(frozen=True)
class Tutorial:
    """What a page needs, how its commands are shortened, what it leaves behind and what it prints."""

    needs: tuple[str, ...]
    files: tuple[str, ...]
    says: str
    small: dict[str, tuple[str, ...]] = field(default_factory=dict)
    prepare: Callable[[Path, pytest.MonkeyPatch], None] = lambda folder, patch: None


def research_folder(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Made-up SMPL, datasets and a checkpoint of few channels, where the page on reproducing has the real ones."""
    variant = official.VARIANTS["coco"]
    mesh = dataclasses.replace(variant.mesh, permutation_sha1=None, inverse_sha1=None)  # of SMPL's own surface
    variant = dataclasses.replace(variant, mesh=mesh, width=32, plan=narrowed(variant.plan, 8))
    patch.setitem(official.VARIANTS, "coco", variant)
    patch.delenv("POSE2MESH_MODELS", raising=False)
    set_misfits(patch, 1e9)
    write_bodies(folder / "models", hand=False)
    annotation_files.write_human36m(folder / "data" / "Human36M")
    annotation_files.write_coco(folder / "data" / "COCO")
    write_pw3d(folder / "data" / "PW3D", ("test",), frames=1)
    checkpoint = folder / "experiment" / "pose2mesh_cocoJ_train_human36_coco_muco" / "final.pth.tar"
    checkpoint.parent.mkdir(parents=True)
    write_official(checkpoint, random_state(shapes(19, mesh.coarsest, variant.plan, variant.width)))


FOUR_STAGES = tuple(f"stages.{stage}.{setting}" for stage in range(4) for setting in ("steps=2", "batch_size=4"))
TWO_STAGES = FOUR_STAGES[:4]
FEW_CHANNELS = ("network.classic.width=16", "network.classic.divide_channels=32", "data.workers=0", "threads=1")

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
    "keypoints": Tutorial(
        needs=("pygltflib",), files=("out/pose.npz", "out/pose_0.glb"), says="torch.Size([10, 13718, 3])"
    ),
    "own_motion": Tutorial(
        needs=("pybvh",),
        files=("my_motion.npz", "runs/mine/weights.safetensors", "runs/mine/weights.json", "mine.json"),
        says="union48 -> 32 joints",
        small={"train": FOUR_STAGES, "test": ("limit=4",)},
    ),
    "adapt_to_your_detector": Tutorial(
        needs=(),
        files=("adapted/weights.safetensors", "out/detections.npz"),
        says="joints moved by",
        small={"adapt": ("steps=2", "batch_size=16", "key2mesh.critic_steps=1", "validate_every=1")},
    ),
    "reproduce_pose2mesh": Tutorial(
        needs=("smplx",),
        files=("coco.safetensors", "3dpw.json", "truth.json", "trained.json", "models/smpl/SMPL_NEUTRAL.npz"),
        says="(6890, 3) SMPL's vertices",
        small={"train": (*TWO_STAGES, "stages.0.epochs=0", "stages.1.epochs=0", *FEW_CHANNELS)},
        prepare=research_folder,
    ),
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
