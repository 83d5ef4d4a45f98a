"""Knee flexion: the known angle of a hinge, whatever the direction, the length and the side."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pose2mesh.metrics import knee_flexion
from pose2mesh.skeletons import joint_set

NAMES = joint_set("coco17").joints


def legs(left: float, right: float, turn: Rotation) -> torch.Tensor:
    """Joints [17, 3] whose knees are hinges open by these degrees, in any orientation."""
    joints = np.zeros((17, 3))
    for side, degrees in (("left", left), ("right", right)):
        hip, knee, ankle = (NAMES.index(f"{side}_{name}") for name in ("hip", "knee", "ankle"))
        joints[knee] = joints[hip] + turn.apply([0, -0.4, 0])
        joints[ankle] = joints[knee] + turn.apply(Rotation.from_euler("x", degrees, degrees=True).apply([0, -0.5, 0]))
    return torch.tensor(joints)


@pytest.mark.parametrize(("left", "right"), [(0, 90), (0.01, 12), (35, 160), (180, 1)])
def test_angle_of_a_hinge(left: float, right: float) -> None:
    for turn in Rotation.random(5, rng=0):
        flexion = knee_flexion(legs(left, right, turn), NAMES)
        np.testing.assert_allclose(flexion, [left, right], atol=1e-5)


def test_batches_and_single_precision() -> None:
    batch = torch.stack([legs(angle, 2 * angle, Rotation.identity()) for angle in (0.0, 5.0, 40.0)]).float()
    torch.testing.assert_close(
        knee_flexion(batch[None], NAMES)[0], torch.tensor([[0.0, 0], [5, 10], [40, 80]]), atol=0.01, rtol=0
    )


def test_legs_without_length_have_no_angle() -> None:
    assert torch.isnan(knee_flexion(torch.zeros(17, 3), NAMES)).all()
