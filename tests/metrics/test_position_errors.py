import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pose2mesh.metrics import mpjpe, mpvpe, pa_mpjpe, pa_mpvpe


def random_points(batch: int, count: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((batch, count, 3)))


@pytest.mark.parametrize("metric", [mpjpe, mpvpe])
def test_mean_distance_per_sample(metric):
    pred, target = random_points(3, 14), random_points(3, 14, seed=1)
    expected = np.sqrt(((pred.numpy() - target.numpy()) ** 2).sum(2)).mean(1)
    np.testing.assert_allclose(metric(pred, target).numpy(), expected)


@pytest.mark.parametrize("metric", [mpjpe, mpvpe])
def test_a_shift_costs_its_length(metric):
    target = random_points(2, 14)
    shift = torch.tensor([0.03, 0.0, 0.04]).double()
    torch.testing.assert_close(metric(target + shift, target), torch.full((2,), 0.05).double())


@pytest.mark.parametrize("metric", [pa_mpjpe, pa_mpvpe])
def test_a_similarity_costs_nothing_and_the_rest_matches_scipy(metric):
    target = random_points(2, 14)
    rest = 0.02 * random_points(2, 14, seed=1)
    rotmat = torch.from_numpy(Rotation.from_rotvec([1, -2, 0.5]).as_matrix())
    error = metric(1.7 * (target + rest) @ rotmat.T + 3, target)
    assert metric(1.7 * target @ rotmat.T + 3, target).max() < 1e-12
    for sample in range(2):
        source, wanted = (points[sample].numpy() for points in (target + rest, target))
        source, wanted = source - source.mean(0), wanted - wanted.mean(0)
        rotation, _ = Rotation.align_vectors(wanted, source)  # least squares, proper rotations only
        turned = rotation.apply(source)
        turned *= (turned * wanted).sum() / np.square(turned).sum()
        np.testing.assert_allclose(error[sample].item(), np.linalg.norm(turned - wanted, axis=-1).mean(), rtol=1e-6)


def test_a_mirrored_pose_is_an_error():
    target = random_points(2, 14)
    assert (pa_mpjpe(target * torch.tensor([-1.0, 1.0, 1.0]), target) > 0.1).all()


@pytest.mark.parametrize("metric", [mpjpe, pa_mpjpe])
@pytest.mark.parametrize("which", [0, 1])
def test_an_undefined_joint_makes_its_sample_undefined(metric, which):
    pair = [random_points(3, 14), random_points(3, 14, seed=1)]
    whole = metric(*pair)
    pair[which][1, 4] = torch.nan
    found = metric(*pair)
    assert found.isnan().tolist() == [False, True, False]
    torch.testing.assert_close(found[::2], whole[::2])
