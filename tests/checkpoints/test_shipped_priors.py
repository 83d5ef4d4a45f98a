"""The shipped pose priors are those of their cards, and the hand's measures what its card says."""

import hashlib
import json

import pytest

from pose2mesh.body_models import load_hand_body
from pose2mesh.checkpoints.prior import BODY_BONES, load_pose_prior
from pose2mesh.errors import InputError
from pose2mesh.paths import asset
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


def test_reconstruction_of_gestures_that_the_hands_prior_never_saw() -> None:
    card = json.loads(asset("weights/pose-prior-hand.json").read_text())["metrics_degrees"]
    unseen = material_of(PriorConfig(task="pose_prior", body="anny-hand")).unseen
    measured = measure_prior(load_pose_prior("pose-prior-hand", BONES["hand"]), unseen)
    for name in ("mean", "median", "p95"):
        assert measured[f"{name}_degrees"] == pytest.approx(card[name], abs=0.02)


def test_a_prior_of_another_body_is_refused() -> None:
    with pytest.raises(InputError, match="trained for 19 rotations of anny-hand"):
        load_pose_prior("pose-prior-hand", BODY_BONES)
