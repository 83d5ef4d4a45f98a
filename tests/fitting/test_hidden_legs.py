"""Hidden legs stand or sit: angles by scipy, and what must stay as it was."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from test_quick_fit import body_of, disturbed, rays_of, truth_of

from pose2mesh.body_models import load_anny_body
from pose2mesh.fitting.hidden_legs import decide_legs
from pose2mesh.fitting.quick_fit import QuickFit
from pose2mesh.fitting.steady_fit import SteadyFit
from pose2mesh.metrics import knee_flexion
from pose2mesh.networks.prediction import BodyParameters
from pose2mesh.skeletons import BODY32, MOTION_BONES

LEGS = [i for i, bone in enumerate(MOTION_BONES) if bone.startswith(("upperleg", "lowerleg", "foot"))]
PARENTS = {"upperleg01": "root", "lowerleg01": "upperleg01", "foot": "lowerleg01"}


def bent(degrees: float) -> torch.Tensor:
    """World rotations [1,19,3,3] of somebody whose hips and knees bend by an angle, turned as a whole."""
    world = np.broadcast_to(Rotation.from_euler("xyz", [160, 20, 5], degrees=True).as_matrix(), (19, 3, 3)).copy()
    for side in "LR":
        hip, knee = (Rotation.from_euler("x", sign * degrees, degrees=True).as_matrix() for sign in (-1, 1))
        thigh, shank, foot = (MOTION_BONES.index(f"{bone}.{side}") for bone in PARENTS)
        world[thigh] = world[0] @ hip
        world[shank] = world[thigh] @ knee
        world[foot] = world[shank] @ Rotation.from_euler("z", 12, degrees=True).as_matrix()
    return torch.from_numpy(world)[None].float()


def angles(world: torch.Tensor, bone: str) -> list[float]:
    """Degrees of both sides' bone against its parent."""
    found = []
    for side in "LR":
        parent = PARENTS[bone] if bone == "upperleg01" else f"{PARENTS[bone]}.{side}"
        rows = (world[0, MOTION_BONES.index(name)].double().numpy() for name in (parent, f"{bone}.{side}"))
        above, own = rows
        found.append(float(np.degrees(Rotation.from_matrix(above.T @ own).magnitude())))
    return found


def confidence(legs: float) -> torch.Tensor:
    """[1,32]: legs as given, all else sure."""
    names = ("knee", "ankle", "heel", "toe")
    return torch.tensor([[legs if joint.endswith(names) else 1.0 for joint in BODY32.joints]])


@pytest.mark.parametrize(("degrees", "expected"), [(0, 0), (18, 5.29), (45, 45), (72, 84.71), (90, 90), (110, 110)])
def test_hidden_legs_go_towards_the_likelier_end(degrees: float, expected: float) -> None:
    decided = decide_legs(bent(degrees), confidence(0.1), BODY32)  # 18 of 90: 0.2 -> 0.04 / 0.68
    for bone in ("upperleg01", "lowerleg01"):
        np.testing.assert_allclose(angles(decided, bone), expected, atol=0.02)
    np.testing.assert_allclose(angles(decided, "foot"), 12, atol=0.02)
    others = [i for i in range(len(MOTION_BONES)) if i not in LEGS]
    assert torch.equal(decided[:, others], bent(degrees)[:, others])
    np.testing.assert_allclose(decided @ decided.mT, np.broadcast_to(np.eye(3), (1, 19, 3, 3)), atol=1e-5)


def test_legs_of_whom_a_joint_is_seen_stay() -> None:
    both = torch.cat([bent(30), bent(30)])
    seen = torch.cat([confidence(0.1), confidence(0.1)])
    seen[1, BODY32.index("left_knee")] = 0.8
    decided = decide_legs(both, seen, BODY32)
    assert angles(decided[:1], "lowerleg01")[0] < 20
    torch.testing.assert_close(decided[1], both[1], atol=1e-5, rtol=0)
    assert decide_legs(both, torch.ones(2, 32), BODY32) is both


def test_nothing_jumps_where_a_joint_appears() -> None:
    levels = np.linspace(0, 1, 101)
    knees = [angles(decide_legs(bent(30), confidence(float(level)), BODY32), "lowerleg01")[0] for level in levels]
    assert (np.diff(knees) >= -1e-3).all() and np.diff(knees).max() < 3.0
    np.testing.assert_allclose([knees[25], knees[35]], [knees[0], 30], atol=0.02)


def test_a_portrait_stands_and_its_mesh_is_that_of_its_parameters() -> None:
    fit = QuickFit(load_anny_body(), "body32")
    truth = truth_of("greet")
    rays = rays_of(body_of(fit, truth).joints)
    start = body_of(fit, disturbed(truth, 0.05))
    rays[..., 2] *= confidence(0.0)
    fitted = fit(start, rays)
    plain = fit.fit(start, rays)
    knees = [
        float(knee_flexion(joints[0], BODY32.joints).mean()) for joints in (fitted.joints, body_of(fit, plain).joints)
    ]
    assert knees[0] < 0.7 * knees[1]
    own = body_of(fit, fitted.parameters)
    torch.testing.assert_close(fitted.vertices, own.vertices, atol=1e-4, rtol=0)
    seen = torch.from_numpy(np.flatnonzero(confidence(0.0)[0].numpy()))
    # regressed hips move by millimetres with thighs
    torch.testing.assert_close(fitted.joints[:, seen], body_of(fit, plain).joints[:, seen], atol=0.01, rtol=0)


def test_legs_hidden_in_a_whole_motion_stand_in_all_of_its_frames() -> None:
    steady = SteadyFit(load_anny_body(), "body32")
    truth, count = truth_of("greet"), 12
    body = body_of(steady.fit, truth)
    rays = rays_of(body.joints)
    rays[..., 2] *= confidence(0.0)
    motion = BodyParameters(*(column.expand(count, *column.shape[1:]) for column in truth))
    deviation, times = torch.full((count, len(BODY32)), 0.06), torch.arange(count, dtype=torch.float64) / 30
    found = body_of(steady.fit, steady(motion, deviation, rays.expand(count, -1, -1), times))
    before = float(knee_flexion(body.joints[0], BODY32.joints).mean())
    knees = [float(knee_flexion(joints, BODY32.joints).mean()) for joints in found.joints]
    assert max(knees) < 0.8 * before
    assert np.ptp(knees) < 0.5
