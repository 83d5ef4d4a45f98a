"""The reduced body is the full one, only cheaper."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pose2mesh.body_models import load_anny_body
from pose2mesh.body_models.reduced import ReducedBody, ancestor_matrix, merge_bones


def random_rotmats(*shape: int) -> torch.Tensor:
    matrices = Rotation.random(int(np.prod(shape)), rng=7).as_matrix()
    return torch.as_tensor(matrices, dtype=torch.float32).view(*shape, 3, 3)


@pytest.mark.parametrize("joint_set", ["coco19", "smpl24", "human36m17"])
def test_equals_the_full_forward(joint_set: str) -> None:
    body = load_anny_body()
    ids = np.random.default_rng(0).permutation(len(body.v_template))[:500]
    reduced = ReducedBody(body, ids, joint_set)
    betas, captured = 2 * torch.randn(6, body.num_shape), random_rotmats(6, 19)
    full = body(betas, body.expand_pose(captured)).vertices
    groups = body.expand_groups(captured)
    # some processors add 13,718 float32 terms one after another, which is 1e-5 off by itself
    joints = torch.as_tensor(body.joint_regressor(joint_set)).double() @ full.double()
    assert (reduced.skin(betas, groups) - full[:, ids]).abs().max() < 1e-5
    assert (reduced.joints(betas, groups) - joints).abs().max() < 1e-5


def test_merged_weights_still_sum_to_one() -> None:
    body = load_anny_body()
    weights, heads, parents = merge_bones(body)
    assert weights.shape[1] == len(heads) == len(parents) == 25  # 19 captured, 4 between, 2 twisted
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
    assert parents[0] == -1 and (parents[1:] >= 0).all()


def test_ancestors_are_counted_along_the_chain() -> None:
    expected = [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 1]]
    assert ancestor_matrix(np.array([-1, 0, 1, 0])).tolist() == expected


def test_has_nothing_to_save() -> None:
    assert not ReducedBody(load_anny_body(), np.arange(3), "coco19").state_dict()
