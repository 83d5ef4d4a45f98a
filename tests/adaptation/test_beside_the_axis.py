"""Adapting to people beside the optical axis is adapting to people on it: cameras are aimed at them (decision 0103)."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pose2mesh import Pose2Mesh
from pose2mesh.adaptation import AdaptConfig, TargetSet, load_backbone, load_target
from pose2mesh.adaptation.config import TargetConfig
from pose2mesh.adaptation.dapa import KeypointAugmentation
from pose2mesh.adaptation.method import held_out_error
from pose2mesh.body_models import load_anny_body
from pose2mesh.fitting.aiming import turn_to
from pose2mesh.skeletons import joint_set
from pose2mesh.synthesis.walk import walking

FOCAL, SIZE, ASIDE = 1000.0, (4000, 1080), 30
WALK = walking(load_anny_body(), seconds=2, fps=10, heading_degrees=30)
ROWS = [WALK.joint_names.index(joint) for joint in joint_set("coco17").joints]


def seen_at(degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints [T,17,3] of the walker, turned about the camera by so much, and root-relative joints [T,J,3] m."""
    turn = turn_to(torch.tensor([np.tan(np.radians(degrees)), 0.0])).numpy()
    joints = (WALK.joints + np.array([0, 0, 4.0])) @ turn.T
    points = FOCAL * joints[..., :2] / joints[..., 2:] + np.array(SIZE) / 2
    return np.concatenate([points[:, ROWS], np.ones((len(points), 17, 1))], -1), WALK.joints @ turn.T


def target_at(degrees: float, folder: Path, network_set: str) -> TargetSet:
    path = folder / "target.npy"
    np.save(path, seen_at(degrees)[0][:, None])
    told = {"joint_set": "coco17", "intrinsics": FOCAL, "image_size": SIZE}
    return load_target(TargetConfig(keypoints=str(path), **told), network_set)


@pytest.mark.parametrize("weights", ["anny-body", "anny-key2mesh"])
def test_the_loss_of_somebody_is_that_of_the_same_person_on_the_axis(tmp_path: Path, weights: str):
    """Exact projections, known camera; 30 degrees aside it was ten times as large."""
    backbone = load_backbone(weights, torch.device("cpu"))
    straight, beside = (target_at(degrees, tmp_path, backbone.joint_set) for degrees in (0, ASIDE))
    torch.testing.assert_close(beside.keypoints, straight.keypoints, atol=0.01, rtol=0)
    errors = [held_out_error(backbone, target) for target in (straight, beside)]
    assert errors[1] == pytest.approx(errors[0], rel=0.1)


def test_adapting_to_people_beside_the_axis_does_not_turn_them(tmp_path: Path):
    backbone = load_backbone("anny-body", torch.device("cpu"))
    model, (keypoints, truth) = Pose2Mesh(backbone.network), seen_at(ASIDE)  # pyright: ignore[reportArgumentType]

    def error() -> float:
        people = model.predict(keypoints, "coco17", intrinsics=FOCAL, image_size=SIZE, outputs="joints", fit=False)
        at = [people[0].joint_names.index(joint) for joint in WALK.joint_names]
        return float(
            np.mean([np.linalg.norm(p.joints[at] - each, axis=1) for p, each in zip(people, truth, strict=True)])
        )

    before, target = error(), target_at(ASIDE, tmp_path, backbone.joint_set)
    config = AdaptConfig.model_validate({"batch_size": 16, "learning_rate": 5e-5})
    steps = KeypointAugmentation(backbone, target, config)
    for index in range(10):
        assert steps.step(index, None, target.draw(16, 0, index)) is not None
    assert error() < before + 0.005
