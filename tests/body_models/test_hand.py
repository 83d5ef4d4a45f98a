"""The baked hand: mirrored, closed, with the wrist at the origin; damaged files are refused."""

import numpy as np
import pytest
import torch

from pose2mesh.body_models import HandBody, load_body_model, load_hand_body
from pose2mesh.errors import FormatError, InputError, MissingFileError
from pose2mesh.geometry.chains import relative_rotations
from pose2mesh.geometry.rotation import rotvec_to_rotmat
from pose2mesh.geometry.surface import edges_from_faces
from pose2mesh.npz import read_arrays, write_arrays
from pose2mesh.paths import asset


@pytest.fixture(scope="module")
def right() -> HandBody:
    return load_hand_body()


def posed(hand: HandBody, rotvec: torch.Tensor, betas: torch.Tensor):
    """The hand with every bone turned by rotation vectors [B,K,3] in world axes."""
    return hand(betas, relative_rotations(rotvec_to_rotmat(rotvec), hand.parents))


def test_sizes(right: HandBody) -> None:
    assert right.v_template.shape == (1670, 3) and right.num_shape == 10 and len(right.bone_names) == 21
    length = (right.v_template - right.heads[1, :, 0]).norm(dim=1).max()
    assert 0.15 < length < 0.20  # a mean over all ages, metres
    assert torch.allclose(right.weights.sum(1), torch.ones(1670), atol=1e-5)


def test_surface_is_closed_and_turned_outwards(right: HandBody) -> None:
    faces = right.faces.numpy()
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    there = {(int(a), int(b)) for a, b in directed}
    assert len(there) == len(directed) and all((b, a) in there for a, b in there)  # every edge has two faces
    assert len(right.v_template) - len(edges_from_faces(faces)) + len(faces) == 2  # a sphere
    corners = right.v_template.double().numpy()[faces]
    volume = np.linalg.det(corners).sum() / 6
    assert 2e-4 < volume < 6e-4  # cubic metres, positive: counter-clockwise from outside


def test_wrist_stays_at_the_origin(right: HandBody) -> None:
    generator = torch.Generator().manual_seed(0)
    output = posed(right, torch.randn(4, 21, 3, generator=generator), torch.randn(4, 10, generator=generator))
    assert output.joints[:, :2].abs().max() < 1e-6  # forearm and wrist


def test_left_hand_is_the_mirror_image_in_every_pose(right: HandBody) -> None:
    left, mirror = load_body_model("anny-hand-left"), torch.tensor([-1.0, 1.0, 1.0])
    generator = torch.Generator().manual_seed(1)
    rotvec, betas = torch.randn(3, 21, 3, generator=generator), torch.randn(3, 10, generator=generator)
    ours = posed(left, rotvec * -mirror, betas)  # a mirrored rotation keeps its component along the mirrored axis
    theirs = posed(right, rotvec, betas)
    assert torch.allclose(ours.vertices, theirs.vertices * mirror, atol=1e-6)
    assert torch.allclose(ours.joints, theirs.joints * mirror, atol=1e-6)
    assert left.bone_names == tuple(name.replace(".R", ".L") for name in right.bone_names)
    corners = left.v_template.double().numpy()[left.faces.numpy()]
    assert np.linalg.det(corners).sum() > 0


def test_keypoints_are_in_the_joints_and_at_the_tips(right: HandBody) -> None:
    rows = right.joint_regressor("hand21")
    assert np.allclose(rows.sum(1), 1, atol=1e-5) and (rows >= 0).all()
    tips = rows[[4, 8, 12, 16, 20]]
    assert ((tips > 0).sum(1) == 1).all()
    keypoints = torch.as_tensor(rows, dtype=torch.float32) @ right.v_template
    names = [f"finger{f}-{k}.R" for f in range(1, 6) for k in range(1, 4)]
    heads = right.heads[[right.bone_names.index(name) for name in names], :, 0]
    joints = keypoints[[4 * f + k for f in range(5) for k in range(1, 4)]]
    assert (joints - heads).norm(dim=1).max() < 0.003
    wrist_to_tip = (keypoints[[4, 8, 12, 16, 20]] - keypoints[0]).norm(dim=1)
    assert wrist_to_tip.argmax() == 2 and wrist_to_tip.argmin() == 0  # the middle finger is longest, the thumb shortest


def test_hand_is_the_body_s_own(right: HandBody) -> None:
    """The mean hand's vertices are the mean body's, moved to the wrist."""
    body = load_body_model("anny-body")
    file = read_arrays(asset("body_models/anny_hand.npz"), ("body_vertices",))
    rows = file["body_vertices"]
    assert rows[-1] == -1 and (rows[:-1] >= 0).all()
    wrist = body.heads[body.bone_names.index("wrist.R"), :, 0]
    difference = body.v_template[rows[:-1]] - wrist - right.v_template[:-1]
    assert difference.norm(dim=1).mean() < 0.001


def test_unknown_side_and_missing_file() -> None:
    with pytest.raises(InputError, match="middle"):
        load_hand_body("middle")
    with pytest.raises(MissingFileError, match=r"nowhere\.npz"):
        load_hand_body(path="nowhere.npz")


@pytest.mark.parametrize("name", ["weights", "heads", "f"])
def test_damaged_file_is_refused(tmp_path, name: str) -> None:
    arrays = read_arrays(asset("body_models/anny_hand.npz"))
    write_arrays(tmp_path / "hand.npz", {**arrays, name: arrays[name][:-1] if name != "f" else arrays[name] + 1})
    with pytest.raises(FormatError, match=r"tools\.assets\.build"):
        load_hand_body(path=tmp_path / "hand.npz")
