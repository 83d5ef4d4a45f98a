"""Fewer skinning weights: valid, near the full ones over poses that the fit never saw, refitted better than pruned."""

import numpy as np
import pytest
import torch

from pose2mesh.augmentation.figures import figure_pool
from pose2mesh.augmentation.poses import PoseAugmentation, sample_poses, world_rotmats
from pose2mesh.body_models import load_anny_body
from pose2mesh.body_models.rig_weights import heaviest, load_skin_weights
from pose2mesh.errors import FormatError, InputError
from pose2mesh.synthesis.bodies import shape_table
from tools.assets.baking_rig import bake_rig, pose_bones, skinning_error

BODY = load_anny_body()
RECIPE = PoseAugmentation(mix_joints=0.0, tumble=0.0, perturb_degrees=6.0, clavicle_degrees=4.0)


@pytest.fixture(scope="module")
def posed():
    poses = sample_poses(figure_pool(), 60, RECIPE, torch.Generator().manual_seed(0))
    return pose_bones(BODY, world_rotmats(poses), shape_table()[1][:60])


@pytest.mark.parametrize("count", [4, 8])
def test_weights_are_valid(count):
    bones, weights = load_skin_weights(BODY, count)
    assert bones.shape == weights.shape == (len(BODY.v_template), count)
    assert (weights >= 0).all() and bones.min() >= 0 and bones.max() < len(BODY.parents)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-12)
    used = np.where(weights > 0, bones, -1 - np.arange(count))
    assert all(len(set(row)) == count for row in used.tolist())


def test_errors_over_new_poses(posed):
    fitted = skinning_error(BODY, load_skin_weights(BODY, 4), *posed)
    pruned = skinning_error(BODY, heaviest(BODY.weights.numpy(), 4), *posed)
    eight = skinning_error(BODY, load_skin_weights(BODY, 8), *posed)
    assert fitted.max() < 7 and fitted.mean() < 0.04
    assert fitted.max() < pruned.max() / 4 and fitted.mean() < pruned.mean() / 4
    assert eight.max() < 0.5


def test_error_agrees_with_skinning_both(posed):
    from pose2mesh.body_models.linear_blend import skin

    sparse = load_skin_weights(BODY, 4)
    dense = torch.as_tensor(sparse.dense(len(BODY.parents)), dtype=torch.float32)
    transforms, rest = posed
    apart = skin(rest, dense, transforms) - skin(rest, BODY.weights, transforms)
    np.testing.assert_allclose(skinning_error(BODY, sparse, *posed), 1000 * apart.norm(dim=-1), atol=2e-3)


@pytest.mark.slow
def test_baking_finds_better_weights_for_its_poses(posed, tmp_path):
    poses = sample_poses(figure_pool(), 40, RECIPE, torch.Generator().manual_seed(1))
    errors = bake_rig(tmp_path / "rig.npz", BODY, world_rotmats(poses), shape_table()[1][:40])
    assert errors["largest_mm"] < 8
    loaded = load_skin_weights(BODY, 4, tmp_path / "rig.npz")
    assert skinning_error(BODY, loaded, *posed).mean() < 0.1


def test_refusals(tmp_path):
    with pytest.raises(InputError, match="5 weights"):
        load_skin_weights(BODY, 5)
    np.savez(tmp_path / "rig.npz", vertices=[1], bones=[[0, 1, 2, 200]], weights=[[1.0, 0, 0, 0]])
    with pytest.raises(FormatError, match="not of this body"):
        load_skin_weights(BODY, 4, tmp_path / "rig.npz")
