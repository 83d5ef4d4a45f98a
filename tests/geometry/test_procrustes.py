import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.spatial import procrustes
from scipy.spatial.transform import Rotation

from pose2mesh.geometry.procrustes import fit_similarity, similarity_align


def random_points(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


@given(seed=st.integers(0, 10**6), scale=st.floats(0.05, 20), count=st.integers(3, 30))
def test_a_similarity_is_undone(seed, scale, count):
    rng = np.random.default_rng(seed)
    source = rng.standard_normal((count, 3))
    rotmat, translation = Rotation.random(rng=rng).as_matrix(), rng.standard_normal(3)
    target = scale * source @ rotmat.T + translation
    fit = fit_similarity(torch.from_numpy(source), torch.from_numpy(target))
    np.testing.assert_allclose(fit.apply(torch.from_numpy(source)).numpy(), target, atol=1e-8 * scale)
    np.testing.assert_allclose(fit.scale.item(), scale, rtol=1e-8)


@given(seed=st.integers(0, 10**6), scale=st.floats(0.1, 10))
def test_the_result_does_not_depend_on_the_pose_of_the_source(seed, scale):
    rng = np.random.default_rng(seed)
    source, target = rng.standard_normal((2, 14, 3))
    moved = scale * source @ Rotation.random(rng=rng).as_matrix().T + rng.standard_normal(3)
    aligned = similarity_align(torch.from_numpy(source), torch.from_numpy(target))
    torch.testing.assert_close(similarity_align(torch.from_numpy(moved), torch.from_numpy(target)), aligned)


@pytest.mark.parametrize("seed", range(4))
def test_no_similarity_found_by_search_is_better(seed):
    source, target = random_points(2, 8, 3, seed=seed).numpy()

    def cost(p: np.ndarray) -> float:
        moved = np.exp(p[0]) * source @ Rotation.from_rotvec(p[1:4]).as_matrix().T + p[4:]
        return float(np.square(moved - target).sum())

    starts = Rotation.create_group("O").as_rotvec()
    best = min(minimize(cost, np.r_[-0.5, start, 0, 0, 0]).fun for start in starts)
    aligned = similarity_align(torch.from_numpy(source), torch.from_numpy(target)).numpy()
    np.testing.assert_allclose(np.square(aligned - target).sum(), best, rtol=1e-4)


def test_agrees_with_scipy_where_no_reflection_is_wanted():
    source = random_points(10, 3).numpy()
    target = source + 0.05 * random_points(10, 3, seed=1).numpy()
    _, _, disparity = procrustes(target, source)  # of the target scaled to unit norm
    aligned = similarity_align(torch.from_numpy(source), torch.from_numpy(target)).numpy()
    norm = np.square(target - target.mean(0)).sum()
    np.testing.assert_allclose(np.square(aligned - target).sum() / norm, disparity, rtol=1e-9)


def test_a_mirror_image_is_not_reached():
    source = random_points(9, 3)
    mirrored = source * torch.tensor([-1.0, 1.0, 1.0])
    fit = fit_similarity(source, mirrored)
    torch.testing.assert_close(torch.linalg.det(fit.rotmat), torch.tensor(1.0, dtype=torch.float64))
    assert (fit.apply(source) - mirrored).norm(dim=-1).mean() > 0.1


def test_batches_are_independent():
    source, target = random_points(2, 3, 7, 3), random_points(2, 3, 7, 3, seed=1)
    aligned = similarity_align(source, target)
    assert aligned.shape == source.shape
    torch.testing.assert_close(aligned[1, 2], similarity_align(source[1, 2], target[1, 2]))


def test_float32_is_accurate_to_a_micrometre_for_a_body():
    source, target = random_points(4, 1000, 3), random_points(4, 1000, 3, seed=1)
    single = similarity_align(source.float(), target.float()).double()
    assert (single - similarity_align(source, target)).abs().max() < 1e-6


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_points_map_to_the_mean(dtype):
    target = random_points(5, 3).to(dtype)
    aligned = similarity_align(torch.full((5, 3), 0.1, dtype=dtype), target)
    torch.testing.assert_close(aligned, target.mean(0).expand(5, 3))
    collapsed = similarity_align(target, torch.full((5, 3), 0.1, dtype=dtype))
    torch.testing.assert_close(collapsed, torch.full((5, 3), 0.1, dtype=dtype), atol=1e-6, rtol=0)


@pytest.mark.parametrize("axes", [1, 2])
def test_points_on_a_line_or_a_plane_are_aligned(axes):
    source = random_points(6, 3)
    source[:, axes:] = 0
    target = 2 * source @ torch.from_numpy(Rotation.from_rotvec([1, 2, 3]).as_matrix()).T
    torch.testing.assert_close(similarity_align(source, target), target)
