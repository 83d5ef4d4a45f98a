"""The shipped pose priors are those of their cards, and measure what those say."""

import hashlib
import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pose2mesh.body_models import load_hand_body
from pose2mesh.checkpoints.prior import BODY_BONES, load_pose_prior
from pose2mesh.errors import InputError, MissingFileError
from pose2mesh.paths import asset
from pose2mesh.settings import load_config
from pose2mesh.synthesis.bodies import seeded_generator
from pose2mesh.training.prior import PriorConfig, material_of, measure_prior

BONES = {"body": BODY_BONES, "hand": load_hand_body().bone_names[2:]}


@pytest.mark.parametrize("part", ["body", "hand"])
def test_card_belongs_to_the_file(part) -> None:
    card = json.loads(asset(f"weights/pose-prior-{part}.json").read_text())
    content = asset(f"weights/pose-prior-{part}.safetensors").read_bytes()
    assert hashlib.sha256(content).hexdigest() == card["sha256"]
    assert len(content) <= 4e6
    prior = load_pose_prior(f"pose-prior-{part}", BONES[part])
    assert sum(p.numel() for p in prior.parameters()) == card["parameters"]


@pytest.mark.parametrize("part", ["body", "hand"])
def test_reconstruction_of_poses_that_the_prior_never_saw(part) -> None:
    card = json.loads(asset(f"weights/pose-prior-{part}.json").read_text())["metrics_degrees"]
    recipe = load_config(PriorConfig, asset(f"configs/train_pose_prior{'_hand' if part == 'hand' else ''}.yaml"), [])
    recipe = recipe.model_copy(update={"motion": recipe.validation})  # training's takes half a minute to be thinned out
    try:
        unseen = material_of(recipe).unseen
    except MissingFileError as error:
        pytest.skip(str(error))
    measured = measure_prior(load_pose_prior(f"pose-prior-{part}", BONES[part]), unseen)
    for name in ("mean", "median", "p95"):
        assert measured[f"{name}_degrees"] == pytest.approx(card[name], abs=0.02)


def test_knees_of_bodies_that_are_drawn() -> None:
    """Of what trains networks where no recording is: people stand as well as crouch, as the card says."""
    card = json.loads(asset("weights/pose-prior-body.json").read_text())["metrics_degrees"]
    knees = [bone.startswith("lowerleg") for bone in BODY_BONES]
    drawn = load_pose_prior("pose-prior-body").sample(4096, seeded_generator(0, 5))[:, knees]
    flexion = np.rad2deg(Rotation.from_matrix(drawn.flatten(0, 1).numpy()).magnitude())
    expected = [card[f"knees_of_draws_{name}"] for name in ("p10", "median", "p90")]
    np.testing.assert_allclose(np.quantile(flexion, (0.1, 0.5, 0.9)), expected, atol=0.1)


def test_a_prior_of_another_body_is_refused() -> None:
    with pytest.raises(InputError, match="trained for 19 rotations of anny-hand"):
        load_pose_prior("pose-prior-hand", BODY_BONES)
