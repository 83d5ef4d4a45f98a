"""The shipped body: its file, its mesh, and the rules that pose all of its bones."""

from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from pose_rules import CAPTURED, expand
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from pose2mesh import paths
from pose2mesh.body_models import AnnyBody, load_anny_body
from pose2mesh.datasets import motion_pack
from pose2mesh.errors import FormatError, MissingFileError
from pose2mesh.skeletons import MOTION_BONES, MOTION_PARENTS

ASSET = paths.asset("body_models/anny_body.npz")


@pytest.fixture(scope="module")
def body() -> AnnyBody:
    return load_anny_body()


def test_asset_is_small() -> None:
    assert ASSET.stat().st_size <= 4e6
    assert paths.asset("statistics/anny_shapes.npz").stat().st_size <= 1e6


def test_mesh_is_watertight_in_four_parts(body: AnnyBody) -> None:
    mesh = trimesh.Trimesh(body.v_template.numpy(), body.faces.numpy(), process=False)
    assert len(mesh.vertices) == 13718 and len(mesh.faces) == 27420
    assert mesh.is_watertight and mesh.is_winding_consistent
    parts = mesh.split()
    assert len(parts) == 4  # skin, two eyes, tongue
    assert all(part.volume > 0 for part in parts)  # normals point outwards
    assert 0.04 < mesh.volume < 0.1  # cubic metres: litres of a person


def test_stands_upright_in_smpl_axes(body: AnnyBody) -> None:
    heads = dict(zip(body.bone_names, body.rest(torch.zeros(1, 16)).joints[0].tolist(), strict=True))
    assert heads["head"][1] > heads["root"][1] + 0.4 and heads["foot.L"][1] < heads["root"][1] - 0.6
    assert heads["wrist.L"][0] > 0.3 > -0.3 > heads["wrist.R"][0]  # x to the subject's left
    toes, ankle = heads["toe1-1.L"], heads["foot.L"]
    assert toes[2] > ankle[2] + 0.05  # faces +z
    assert np.abs(heads["root"]).max() < 1e-3  # the pelvis bone is the origin


def test_mean_body_is_its_own_mirror_image(body: AnnyBody) -> None:
    vertices = body.v_template.numpy()
    distance, _ = cKDTree(vertices).query(vertices * [-1, 1, 1])
    assert distance.max() < 1e-4 and distance.mean() < 1e-6


def test_captured_bones_are_those_of_the_packs() -> None:
    assert CAPTURED == MOTION_BONES == motion_pack.BONES
    assert motion_pack.PARENTS == MOTION_PARENTS


def test_all_bones_follow_the_captured_ones_by_the_rules(body: AnnyBody) -> None:
    captured = Rotation.random(5 * 19, rng=3).as_matrix().reshape(5, 19, 3, 3)
    heads = dict(zip(body.bone_names, body.rest(torch.zeros(1, 16)).joints[0].double().numpy(), strict=True))
    parents = body.parents.tolist()
    world = body.expand_groups(torch.as_tensor(captured, dtype=torch.float32))[:, body.group_of]
    for ours, pose in zip(world.numpy(), captured, strict=True):
        np.testing.assert_allclose(ours, expand(pose, body.bone_names, parents, heads), atol=2e-5)


def test_relative_pose_gives_the_world_rotations_back(body: AnnyBody) -> None:
    captured = torch.as_tensor(Rotation.random(19, rng=4).as_matrix()[None], dtype=torch.float32)
    relative, world = body.expand_pose(captured), []
    for bone, parent in enumerate(body.parents.tolist()):
        world.append(relative[:, bone] if parent < 0 else world[parent] @ relative[:, bone])
    for i, name in enumerate(MOTION_BONES):
        torch.testing.assert_close(world[body.bone_names.index(name)], captured[:, i], rtol=0, atol=1e-5)


@pytest.mark.parametrize("keep", [0.0, 0.02, 0.5, 0.999])
def test_truncated_files_are_refused(tmp_path: Path, keep: float) -> None:
    content = ASSET.read_bytes()
    (tmp_path / "body.npz").write_bytes(content[: int(keep * len(content))])
    with pytest.raises(FormatError, match=r"body\.npz"):
        load_anny_body(tmp_path / "body.npz")


def test_altered_bytes_never_pass_as_another_body(tmp_path: Path, body: AnnyBody) -> None:
    """Each array has a checksum in the archive; a byte between the arrays may change without harm."""
    content, rng, refused = ASSET.read_bytes(), np.random.default_rng(0), 0
    for place in rng.integers(0, len(content), 12):
        altered = bytearray(content)
        altered[place] ^= 0xFF
        (tmp_path / "body.npz").write_bytes(altered)
        try:
            loaded = load_anny_body(tmp_path / "body.npz")
        except FormatError:
            refused += 1
        else:
            for name, buffer in body.named_buffers():
                torch.testing.assert_close(loaded.get_buffer(name), buffer, rtol=0, atol=0)
    assert refused >= 6


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "foreign.npz", v_template=np.zeros((3, 3)))
    with pytest.raises(FormatError, match="lacks shapedirs, f, weights"):
        load_anny_body(tmp_path / "foreign.npz")
    np.save(tmp_path / "single.npy", np.zeros(3))
    (tmp_path / "text.npz").write_text("no archive")
    for name in ("single.npy", "text.npz"):
        with pytest.raises(FormatError, match=name):
            load_anny_body(tmp_path / name)
    with pytest.raises(MissingFileError, match=r"tools\.assets\.build"):
        load_anny_body(tmp_path / "absent.npz")


@pytest.mark.parametrize("change", ["weights", "kintree_table", "bone_names", "J_regressor_indices"])
def test_arrays_that_do_not_fit_together_are_refused(tmp_path: Path, change: str) -> None:
    with np.load(ASSET) as file:
        arrays = dict(file)
    damaged = arrays[change] + 60000 if change.endswith("indices") else arrays[change][..., :5]
    np.savez(tmp_path / "body.npz", **{**arrays, change: damaged})
    with pytest.raises(FormatError):
        load_anny_body(tmp_path / "body.npz")
