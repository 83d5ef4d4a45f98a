"""FreiHAND's measures against a restatement in numpy and scipy, point by point."""

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes

from pose2mesh.metrics import hand_errors


def points(count: int, seed: int, deviation: float = 0.04) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, deviation, (count, 3))


def aligned_by_scipy(moving: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """Rotation, scale and shift as FreiHAND's evaluation finds them: orthogonal Procrustes on unit-size shapes."""
    a, b = fixed - fixed.mean(0), moving - moving.mean(0)
    rotation, trace = orthogonal_procrustes(a / np.linalg.norm(a), b / np.linalg.norm(b))
    assert np.linalg.det(rotation) > 0  # otherwise the server would mirror
    return (b / np.linalg.norm(b)) @ rotation.T * trace * np.linalg.norm(a) + fixed.mean(0)


def f_by_all_pairs(a: np.ndarray, b: np.ndarray, threshold: float) -> float:
    distance = np.linalg.norm(a[:, None] - b[None], axis=-1)
    precision, recall = (distance.min(1) < threshold).mean(), (distance.min(0) < threshold).mean()
    return 2 * precision * recall / (precision + recall)


def area(distance: np.ndarray) -> float:
    thresholds = np.linspace(0, 0.05, 100)
    return np.trapezoid([(distance <= t).mean() for t in thresholds], thresholds) / 0.05


@pytest.fixture(scope="module")
def hands() -> dict[str, np.ndarray]:
    """Two samples: noisy copies, turned, scaled and moved."""
    truth = {"joints": np.stack([points(21, i) for i in (0, 1)]), "vertices": np.stack([points(60, i) for i in (2, 3)])}
    turn = np.linalg.qr(points(3, 9, 1.0))[0]
    turn *= np.sign(np.linalg.det(turn))
    moved = {k: 1.3 * (v + points(v[0].shape[0], 5, 0.004)) @ turn.T + 0.2 for k, v in truth.items()}
    return {**truth, **{f"predicted_{k}": v for k, v in moved.items()}}


def test_all_measures_match_the_restatement(hands: dict[str, np.ndarray]) -> None:
    names = ("predicted_joints", "predicted_vertices", "joints", "vertices")
    found = hand_errors(*(torch.from_numpy(hands[name]) for name in names))
    for i in range(2):
        joints = aligned_by_scipy(hands["predicted_joints"][i], hands["joints"][i])
        vertices = aligned_by_scipy(hands["predicted_vertices"][i], hands["vertices"][i])
        joint_distance = np.linalg.norm(joints - hands["joints"][i], axis=1)
        vertex_distance = np.linalg.norm(vertices - hands["vertices"][i], axis=1)
        expected = {
            "pa_mpjpe": joint_distance.mean(),
            "pa_mpvpe": vertex_distance.mean(),
            "f_at_5": f_by_all_pairs(vertices, hands["vertices"][i], 0.005),
            "f_at_15": f_by_all_pairs(vertices, hands["vertices"][i], 0.015),
            "auc": area(joint_distance),
            "auc_vertices": area(vertex_distance),
        }
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert found[name][i].item() == pytest.approx(value, abs=1e-9), name
    assert 0.05 < found["f_at_5"].min() < found["f_at_15"].max() <= 1  # the case is neither trivial nor hopeless


def test_a_mirrored_hand_is_not_forgiven() -> None:
    """Where the server's alignment may reflect: ours does not turn a left hand into a right one."""
    joints, vertices = torch.from_numpy(points(21, 0))[None], torch.from_numpy(points(60, 1))[None]
    mirror = torch.tensor([-1.0, 1, 1]).double()
    errors = hand_errors(joints * mirror, vertices * mirror, joints, vertices)
    assert errors["pa_mpjpe"].item() > 0.01 and errors["pa_mpvpe"].item() > 0.01
