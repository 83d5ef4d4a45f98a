"""Rotations along chains of bones, against SciPy's."""

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from pose2mesh.geometry.chains import relative_rotations, world_rotations
from pose2mesh.skeletons import MOTION_PARENTS

FOREST = (-1, 0, -1, 2, 1)  # two roots


def test_a_world_rotation_is_the_product_from_the_root() -> None:
    for parents in (MOTION_PARENTS, FOREST):
        each = Rotation.random(3 * len(parents), random_state=0).as_matrix().reshape(3, -1, 3, 3)
        world = world_rotations(torch.from_numpy(each), parents)
        for bone in range(len(parents)):
            expected, above = each[:, bone], parents[bone]
            while above >= 0:
                expected, above = each[:, above] @ expected, parents[above]
            np.testing.assert_allclose(world[:, bone], expected, atol=1e-12)
        np.testing.assert_allclose(relative_rotations(world, torch.tensor(parents)), each, atol=1e-12)
        assert torch.equal(relative_rotations(world, parents), relative_rotations(world, torch.tensor(parents)))
