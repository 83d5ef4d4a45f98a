"""Training without motion files: poses come from a prior, are reproducible, and no data folder is touched."""

from pathlib import Path

import pytest
import torch
from tiny_pack import write_pack
from tiny_run import tiny_run

from pose2mesh.checkpoints.prior import load_pose_prior
from pose2mesh.errors import InputError, MissingFileError
from pose2mesh.settings import load_config
from pose2mesh.settings.base import read_recipe
from pose2mesh.training.config import SHIPPED_RECIPES_MOTION, DataConfig, TrainConfig
from pose2mesh.training.prior_poses import PRIOR_POSES, for_want_of_motion, training_poses
from pose2mesh.training.trainer import train

SHIPPED = "pose-prior-body"


def test_poses_are_the_priors_own(monkeypatch, tmp_path):
    monkeypatch.setenv("POSE2MESH_DATA", str(tmp_path / "nothing"))
    first, again = (training_poses(DataConfig(prior=SHIPPED), seed=3) for _ in range(2))
    assert first.shape == (PRIOR_POSES, 19, 3)
    assert torch.equal(first, again)
    assert not torch.equal(first, training_poses(DataConfig(prior=SHIPPED), seed=4))
    mean, _ = load_pose_prior(SHIPPED).encode(_matrices(first[:64, 1:]))
    assert mean.abs().mean() < 1.5  # what was drawn from N(0, I) is found near it


def test_a_share_of_the_poses_is_the_priors(tmp_path):
    pack = write_pack(tmp_path / "pack.npz", {"01_01": 30})
    poses = training_poses(DataConfig(prior=SHIPPED, prior_share=0.6, motion=(str(pack),), distinct_radians=0), seed=3)
    recorded = training_poses(DataConfig(motion=(str(pack),), distinct_radians=0), seed=3)
    assert len(poses) == 75 and torch.equal(poses[:30], recorded)
    assert (
        len(training_poses(DataConfig(prior=SHIPPED, prior_share=0, motion=(str(pack),), distinct_radians=0), 3)) == 30
    )


def test_training_needs_no_motion_file(monkeypatch, tmp_path):
    run = tiny_run(tmp_path)
    monkeypatch.setenv("POSE2MESH_DATA", str(tmp_path / "nothing"))
    run["data"] = {"prior": SHIPPED}
    run["stages"] = run["stages"][:1]
    assert train(TrainConfig.model_validate(run)).is_file()


def test_without_a_prior_the_motion_file_is_missed(monkeypatch, tmp_path):
    monkeypatch.setenv("POSE2MESH_DATA", str(tmp_path / "nothing"))
    with pytest.raises(MissingFileError, match=r"no such file or folder; .* set POSE2MESH_DATA"):
        training_poses(DataConfig(motion=("absent.npz",)), seed=0)


def test_a_network_in_the_place_of_a_prior_is_refused():
    with pytest.raises(InputError, match="no pose prior"):
        training_poses(DataConfig(prior="anny-body"), seed=0)


def _matrices(rotvec: torch.Tensor) -> torch.Tensor:
    from scipy.spatial.transform import Rotation

    flat = Rotation.from_rotvec(rotvec.reshape(-1, 3).numpy()).as_matrix()
    return torch.tensor(flat, dtype=torch.float32).view(*rotvec.shape, 3)


def test_the_shipped_recipe_runs_on_a_fresh_machine(monkeypatch, tmp_path):
    """None of its recordings is there: it says so and draws poses from the prior; with one of them it does not."""
    monkeypatch.setenv("POSE2MESH_DATA", str(tmp_path))
    recipe = load_config(TrainConfig, "assets/configs/train_anny_body.yaml", [])
    without, notice = for_want_of_motion(recipe)
    assert without.data.prior == SHIPPED and without.validation == ()
    assert "no motion file" in notice and "nothing is validated on mocap2_val.npz" in notice
    assert len(training_poses(without.data, seed=0)) == PRIOR_POSES
    write_pack(tmp_path / "mocap2_train.npz")
    assert for_want_of_motion(recipe) == (recipe, "")
    strict = recipe.model_copy(update={"data": DataConfig(motion=("no such file.npz",))})
    assert for_want_of_motion(strict) == (strict, "")


@pytest.mark.parametrize("packs", [(), ("mocap2_train.npz", "animation_train_cc0.npz", "mocap2_val.npz")])
@pytest.mark.parametrize(
    "setting", ["data.motion=[mistyped.npz]", "data.motion=mistyped.bvh", "validation=[mistyped.npz]"]
)
def test_a_mistyped_file_is_missed(setting, packs, monkeypatch, tmp_path):
    """With and without the packs of the shipped recipe; nothing stands in for what the user names."""
    monkeypatch.setenv("POSE2MESH_DATA", str(tmp_path))
    for pack in packs:
        write_pack(tmp_path / pack)
    config = load_config(
        TrainConfig, "assets/configs/train_anny_body.yaml", [setting, "minutes=0.001", f"output={tmp_path / 'run'}"]
    )
    with pytest.raises(MissingFileError, match="mistyped"):
        train(config)


def test_only_motion_of_the_shipped_recipes_is_replaced():
    """The list is that of the recipes that allow it."""
    named = set()
    for path in Path("assets/configs").rglob("train*.yaml"):
        recipe = read_recipe(path)
        if recipe.get("data", {}).get("motion_or_prior"):
            named |= {*recipe["data"]["motion"], *recipe["validation"]}
    assert named == set(SHIPPED_RECIPES_MOTION)
