"""The per-joint errors of Human3.6M: their mean, deviation and chance come out as published."""

import pytest
import torch

from pose2mesh.augmentation.release_noise import add_human36m_errors, crop_size
from pose2mesh.skeletons import joint_set

COUNT = 20000


def pose(width: float, height: float) -> torch.Tensor:
    """[17, 2] px in a box of that size."""
    points = torch.rand(17, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([width, height])
    points[0], points[1] = 0, torch.tensor([width, height])
    return points


def test_the_crop_is_three_to_four() -> None:
    boxes = torch.stack([pose(100.0, 401.0), pose(301.0, 100.0)])
    torch.testing.assert_close(crop_size(boxes), torch.tensor([[300.0, 400.0], [300.0, 400.0]]))


@pytest.mark.parametrize(
    ("joint", "mean", "deviation", "chance"),
    [
        ("right_hip", (-0.83, -2.07), (3.41, 2.69), 1.0),
        ("left_ankle", (-0.15, -3.78), (1.39, 2.39), 0.93),
        ("right_wrist", (0.05, 0.16), (2.02, 2.24), 0.90),
        ("nose", (0.13, -0.26), (0.78, 0.59), 0.98),
    ],
)
def test_statistics(joint: str, mean, deviation, chance: float) -> None:
    exact = pose(193.0, 257.0).expand(COUNT, -1, -1)  # the crop is 192 by 256: errors in y are published pixels
    noisy = add_human36m_errors(exact, torch.Generator().manual_seed(1))
    error = (noisy - exact)[:, joint_set("human36m17").index(joint)] / torch.tensor([192 / 256, 1.0])
    moved = error[(error != 0).all(1)]
    assert len(moved) / COUNT == pytest.approx(chance, abs=0.01)
    torch.testing.assert_close(moved.mean(0), torch.tensor(mean), rtol=0, atol=0.1)
    torch.testing.assert_close(moved.std(0), torch.tensor(deviation), rtol=0.05, atol=0)


def test_the_same_generator_gives_the_same_errors() -> None:
    exact = pose(100.0, 300.0)[None]
    first, again = (add_human36m_errors(exact, torch.Generator().manual_seed(3)) for _ in range(2))
    torch.testing.assert_close(first, again)
