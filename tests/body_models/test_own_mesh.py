"""Meshes of one's own from an NPZ: what cannot be one is refused in one line."""

import numpy as np
import pytest

from pose2mesh.body_models import load_mesh_body
from pose2mesh.errors import FormatError

FRAMES = np.random.default_rng(0).random((2, 20, 3))
GOOD = {"vertices": FRAMES, "faces": np.array([[0, 1, 2]]), "joint_set": "coco17", "joint_vertices": np.arange(17)}


def written(folder, **changes):
    arrays = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    np.savez(folder / "mesh.npz", **arrays)
    return folder / "mesh.npz"


def test_joints_that_are_vertices(tmp_path):
    body = load_mesh_body(written(tmp_path))
    np.testing.assert_array_equal(body.joint_regressor("coco17"), np.eye(20)[:17])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vertices": 1000 * FRAMES}, r"vertices lie \d+ m apart; give metres"),
        ({"vertices": FRAMES.astype(str)}, "vertices are <U.*, not numbers"),
        ({"vertices": FRAMES[..., :2]}, r"vertices are \[2, 20, 2\], not \[N, V, 3\]"),
        ({"vertices": FRAMES[0]}, r"vertices are \[20, 3\]"),
        ({"vertices": np.full((2, 20, 3), np.nan)}, "vertices are not finite"),
        ({"faces": np.array([[0.5, 1, 2]])}, "faces are not whole numbers"),
        ({"faces": np.array([[0, 1, 2, 3]])}, r"faces are \[1, 4\], not \[F, 3\]"),
        ({"faces": np.array([[0, 1, 20]])}, "faces name vertices beyond the 20"),
        ({"joint_vertices": np.arange(17) - 1}, "joint_vertices are to be whole numbers"),
        ({"joint_vertices": np.arange(17) / 2}, "joint_vertices are to be whole numbers"),
        ({"joint_regressor": np.full((17, 20), np.nan)}, "weights of joints are not finite"),
        ({"joint_regressor": np.ones((3, 20))}, r"joints are \[3, 20\], not \[17, 20\]"),
        ({"joint_vertices": None}, "lacks 'joint_vertices'"),
        ({"joint_set": "flag4"}, "flag4"),
    ],
)
def test_what_is_no_mesh_is_one_line(tmp_path, changes, message):
    with pytest.raises(FormatError, match=rf"mesh\.npz: .*{message}.*; docs/extending\.md") as caught:
        load_mesh_body(written(tmp_path, **changes))
    assert "\n" not in str(caught.value)
