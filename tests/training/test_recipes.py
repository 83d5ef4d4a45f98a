"""Every shipped recipe starts: its network takes one step of each stage, on a tiny pack in the place of recordings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_adaptation import people
from tiny_pack import write_pack

from pose2mesh.cli.main import main
from pose2mesh.settings.base import read_recipe

CONFIGS = Path(__file__).parents[2] / "assets" / "configs"
TRAIN = sorted(CONFIGS.glob("train_*.yaml"))
ADAPT = sorted(CONFIGS.glob("adapt_*.yaml"))
# The least that each task can be, PACK in the place of recordings.
LEAST = {
    "pose_prior": "steps=1 batch_size=4 motion=[PACK] validation=[PACK]",
    "image_backbone": "steps=1 batch_size=2 pictures=2 views=1 validation_pictures=2 backgrounds=2 data.motion=[PACK] "
    "validation=[PACK]",
    "motion": "steps=1 batch_size=2 chunk=2 length=4 motion=[PACK] validation=PACK",
    "stages": "validation=[]",
}
NARROW = ("network.classic.width=16", "network.classic.divide_channels=32")  # the paper's widths take a gigabyte


@pytest.fixture
def pack(tmp_path: Path) -> str:
    return str(write_pack(tmp_path / "pack.npz", {"01_01": 70, "02_01": 70}))


def smallest(recipe: dict[str, Any], pack: str) -> list[str]:
    """Overrides under which a recipe takes one step a stage."""
    options = LEAST[recipe.get("task", "stages")].replace("PACK", pack).split()
    if recipe.get("body") == "anny-hand":  # hands have no recordings
        options = [option for option in options if pack not in option]
    is_recorded = "prior" not in recipe.get("data", {})
    if is_recorded and recipe.get("network", {}).get("body") == "anny-body":
        options.append(f"data.motion=[{pack}]")
    stages = [
        f"stages.{i}.{least}" for i in range(len(recipe.get("stages", ()))) for least in ("steps=1", "batch_size=2")
    ]
    narrow = NARROW if recipe.get("network", {}).get("kind") == "classic" else ()
    return [*options, *stages, *narrow]


@pytest.mark.parametrize("file", TRAIN, ids=lambda file: file.stem)
def test_training_starts(file: Path, pack: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = read_recipe(file)
    options = [*smallest(recipe, pack), "device=cpu", "threads=1", f"output={tmp_path / 'run'}"]
    assert main(["train", "--config", str(file), *options]) == 0, capsys.readouterr().err
    assert (tmp_path / "run" / "weights.safetensors").is_file()


@pytest.mark.parametrize("weights", ["anny-body", "anny-key2mesh"])
@pytest.mark.parametrize("file", ADAPT, ids=lambda file: file.stem)
def test_adaptation_starts(
    file: Path, weights: str, pack: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "people.npz", keypoints=people())
    method = file.stem.removeprefix("adapt_")
    options = [f"weights={weights}", f"source.motion=[{pack}]", f"target.keypoints={tmp_path / 'people.npz'}"]
    options += ["steps=1", "batch_size=4", "validate_every=1", "device=cpu", "-o", str(tmp_path / "run")]
    assert main(["adapt", "--method", method, "--config", str(file), *options]) == 0, capsys.readouterr().err
    assert (tmp_path / "run" / "weights.safetensors").is_file()
